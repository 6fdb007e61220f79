package cloudsim

import (
	"fmt"
	"net"

	"github.com/drwatch/drwatch/internal/replication"
)

// The names of the default endpoints.
const (
	EndpointSDRS       = "sdrs"
	EndpointEVS        = "evs"
	EndpointDWS        = "dws"
	EndpointDWSStandby = "dws-standby"
	EndpointEBS        = "ebs"
	EndpointEBSStandby = "ebs-standby"
)

// Endpoint is one regional API of one provider. Each has its own port, since
// the Huawei SDKs drop a path prefix from an endpoint.
type Endpoint struct {
	Name     string
	Provider replication.Provider
	Region   string
	Address  string // default 127.0.0.1:0; must be loopback
	Site     string // it can go down with this site; "" = it outlives all of them
}

// DefaultEndpoints are the six that the demo fleet stands behind. The Huawei
// APIs are regional and outlive a zone; the one of cn-beijing goes with az-a,
// the ones of cn-east-3 and cn-shanghai with az-b.
func DefaultEndpoints() []Endpoint {
	return []Endpoint{
		{Name: EndpointSDRS, Provider: replication.HuaweiSDRS, Region: "cn-north-4"},
		{Name: EndpointEVS, Provider: replication.HuaweiEVS, Region: "eu-west-0"},
		{Name: EndpointDWS, Provider: replication.HuaweiDWS, Region: "cn-north-4"},
		{Name: EndpointDWSStandby, Provider: replication.HuaweiDWS, Region: "cn-east-3", Site: "az-b"},
		{Name: EndpointEBS, Provider: replication.AliyunEBS, Region: "cn-beijing", Site: "az-a"},
		{Name: EndpointEBSStandby, Provider: replication.AliyunEBS, Region: "cn-shanghai", Site: "az-b"},
	}
}

type endpoint struct {
	Endpoint
	cloud *Cloud
	door  *door
	api   api
}

func (c *Cloud) addEndpoints() error {
	for _, e := range c.o.Endpoints {
		if c.endpoints[e.Name] != nil {
			return fmt.Errorf("simulated clouds: two endpoints are named %q", e.Name)
		}
		a, ok := apis()[e.Provider]
		if !ok {
			return fmt.Errorf("simulated clouds: endpoint %q: no provider %q", e.Name, e.Provider)
		}
		ep := &endpoint{Endpoint: e, cloud: c, api: a}
		ep.door = newDoor(addressOr(e.Address), ep.serve)
		c.endpoints[e.Name] = ep
	}
	return nil
}

// sees tells whether the group is known to the endpoint's region.
func (e *endpoint) sees(g *group) bool {
	if g.provider != e.Provider {
		return false
	}
	return g.source.Region == e.Region || g.target.Region == e.Region
}

func addressOr(a string) string {
	if a == "" {
		return "127.0.0.1:0"
	}
	return a
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("simulated clouds: listen address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("simulated clouds: listen address %q is not loopback; use 127.0.0.1:PORT", address)
	}
	return nil
}
