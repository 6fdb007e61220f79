package cloudsim

import (
	"slices"
	"time"
)

// Remove takes a group out of the clouds, with its pairs, servers and drills, as
// somebody does who deletes it at the provider. Its id tells of nothing from then
// on; the log of effects keeps what was.
func (c *Cloud) Remove(id string) error {
	now := c.enter()
	defer c.mu.Unlock()
	g, err := c.find(id)
	if err != nil {
		return err
	}
	c.forget(g, now)
	return nil
}

func (c *Cloud) forget(g *group, now time.Time) {
	delete(c.stuck, g.running)
	g.running, g.updated = nil, now // what was under way does not end
	delete(c.groups, g.id)
	c.order = slices.DeleteFunc(c.order, func(x *group) bool { return x == g })
	for _, s := range c.shelves {
		s.groups = slices.DeleteFunc(s.groups, func(x *group) bool { return x == g })
		s.pairs = slices.DeleteFunc(s.pairs, func(p *pair) bool { return p.group == g })
		s.instances = slices.DeleteFunc(s.instances, func(i *instance) bool { return i.group == g })
		s.drills = slices.DeleteFunc(s.drills, func(d *drill) bool { return d.group == g })
	}
}
