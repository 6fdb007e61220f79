package main

// suite is a package whose tests run on the mutants.
type suite struct {
	pkg  string
	run  string   // which tests; "" all
	skip string   // which subtests not
	args []string // for each test
	// each runs all that once more, with these arguments; nil: once with none.
	each [][]string
}

// suites are the tests of this repository that reach its core. Those that start
// real stores or real daemons are not among them: they cost seconds each, and what
// they do to the ledger the model of the store does as well.
func suites() []suite {
	return []suite{
		{pkg: "./internal/failover"},
		{pkg: "./internal/quorum/ledger"},
		{
			pkg:  "./internal/quorum",
			run:  "^(TestClaimConflicts|TestIntentConflicts|TestPersonsAreRefusedOnceSent|TestModeOnlyGoesDown|TestLossIsNotClosedUnderAnOpenIncident|TestTransactionsNoticeWhatHappensMeanwhile|TestAbortMeetsTheIntent|TestFailuresAreCountedTogether|TestTheLeaderIsNotReplacedMeanwhile|TestAck.*|TestModel(LeaseLoss|Faults)|TestWhatANewerObserverWritesIsPassedOver|TestAnUnreadableFreezeFreezes|TestARaisedFormatIsNoticedByTheTransaction|TestFieldsOfANewerVersionAreKept|TestRecordsStaySmall|TestTamperingWithTheJournalShows|TestAnOutcome.*|TestResignGoesByTheStore)$",
			skip: ".*/^etcd$|.*/.*/^etcd$",
		},
		{
			pkg: "./internal/simtest", run: "^(TestStories|TestMuseum|TestMuseumByChance|TestStoriesOfWrongClocks)$",
			args: []string{"-seeds=150", "-until"},
		},
		{ // the stories in which each has a mischief at one step, as the controls play them
			pkg: "./internal/simtest", run: "^TestStories$", args: []string{"-seeds=60", "-until"},
			each: [][]string{
				{"-focus=store claim/1"},
				{"-focus=store claim/6"},
				{"-focus=store claim/9"},
				{"-focus=store write/1"},
				{"-focus=store write/2"},
				{"-focus=store write/6"},
				{"-focus=store write/7"},
				{"-focus=store read/0"},
				{"-focus=connect/6"},
				{"-focus=connect/8"},
				{"-focus=connect/10"},
				{"-focus=connect/11"},
				{"-focus=claimed/13"},
				{"-focus=round/12"},
			},
		},
	}
}
