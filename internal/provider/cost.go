package provider

// PollCost is how many calls one Reader.List makes, or one FactReader.SlowFacts,
// for a forecast.
type PollCost struct {
	Least    int // when no list needs a second page, without those PerGroup
	Page     int // items that one page of a list holds; 0 when lists have no pages
	PerGroup int // at most, for each group; 0 when groups are only listed
	// MostGroups: with more groups than that, there are none PerGroup; 0 is no bound.
	MostGroups int
}
