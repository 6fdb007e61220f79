package traps_test

// trap is one thing that a provider's API or SDK does, and what is done about it.
type trap struct {
	number int // by the damage it can do, the worst first
	whose  string
	does   string
	guard  string
	proof  proven
}

func traps() []trap {
	const (
		common, huawei, config, keys = "internal/provider", "internal/provider/huawei", "internal/config", "internal/credentials"
		sdrs, evs, dws, ebs          = "internal/provider/sdrs", "internal/provider/evs", "internal/provider/dws", "internal/provider/ebs"
		failover, collector, sim     = "internal/failover", "internal/collector", "internal/cloudsim"
		here, faults                 = "test/traps", "test/faults"
	)
	return []trap{
		{
			1, "Huawei", "no idempotency token: after a timeout, a cut connection or a 5xx nobody knows whether the failover runs, and a second one may undo it",
			"the intent is durable before the call, which is made only while direction and status are those of the plan; one incident a group; an unknown outcome is looked at, and answered with a second call only when the first is proven not to have happened, at DWS never",
			proven{
				failover + " TestOutcomes TestFailsOverOnce TestUnknownCallUnderAnOutageStaysUnknown TestUnknownCallAndAChangeThatProvesNothing TestDecideBlocks TestMovedByAPersonWhileItWaits",
				common + " TestOutcomeOf TestOutcomeOfIsMonotone TestTransportWhenTheActionGetsNoWholeAnswer", huawei + " TestActOutcomes TestActTimesOutAfterTheWrite",
				"test/crash TestKilledWhileACallIsUnderWay", faults + " TestACallIsNeverBlindlySentAgain",
			},
		},
		{
			2, "both SDKs", "200 with `{}`, with nothing, or with an error in it is no error; at Huawei neither is a redirect",
			"an action is accepted only with what an accepted one alone has: a job id (SDRS), exactly 200 and no body (EVS), the id asked for (DWS), a request id and no code (EBS); a read only with status 200 and the list asked for",
			proven{
				sdrs + " TestFailoverOutcomes TestAnswersThatAreNoListing", evs + " TestFailoverOutcomes TestAnswersThatAreNoListing", dws + " TestFailoverOutcomes TestAnswersThatAreNoListing",
				ebs + " TestFailoverOutcomes TestListRefusesWhatIsNoAnswer", huawei + " TestActOutcomes TestGetBelievesNothingElse",
				faults + " TestNothingIsFailedOverOnAnAnswerThatCannotBeBelieved",
			},
		},
		{
			3, "both SDKs", "retries that can be switched on send a failover up to four times",
			"they are off and our transport sends one request a call, whatever the SDK wants; Alibaba's ClientToken is the same for the same incident, always",
			proven{
				common + " TestTransportSendsOneRequestPerCallToOneHost TestClientToken", ebs + " TestFailoverOnTheWire TestFailoverTimesOutAsUncertain TestFailoverThatIsNotSent TestKeysThatAreRefused",
				huawei + " TestKeysThatAreRefused", here + " TestNothingDoesWhatIsBanned",
			},
		},
		{
			4, "EBS", "accepts a failover of a group that is failing over or has failed over",
			"such a group is not ready, and after a success it is latched until a person acknowledges",
			proven{ebs + " TestStatusAndDirection TestConditionsStandAlone", failover + " TestAsyncProvidersStayLatchedAfterSuccess"},
		},
		{
			5, "Go", "sends an idempotent request again over a new connection when a kept one has died; a POST then ends with EOF",
			"each action has a new connection, and no header makes it repeatable",
			proven{
				common + " TestTransportOpensAConnectionForEachAction", ebs + " TestFailoverHasAConnectionOfItsOwn", huawei + " TestGetOnTheWire", here + " TestNothingDoesWhatIsBanned",
				faults + " TestACallIsNeverBlindlySentAgain",
			},
		},
		{
			6, "Alibaba's SDK", "follows a 307 and sends the signed failover to a foreign host",
			"a redirect is an error, and no host but the configured one is called",
			proven{common + " TestTransportFollowsNoRedirect TestTransportSendsOneRequestPerCallToOneHost", ebs + " TestFailoverFollowsNoRedirect", huawei + " TestGetBelievesNothingElse"},
		},
		{
			7, "Alibaba's SDK", "panics on an error whose code is a number",
			"a panic within an SDK is an error of the one call",
			proven{common + " TestGuard", ebs + " TestFailoverOutcomes TestListRefusesWhatIsNoAnswer", huawei + " TestAPanicWithinTheSDKIsAnError", collector + " TestPanicOfAReaderIsAnError"},
		},
		{
			8, "both SDKs", "one field of a wrong type costs the whole list",
			"answers are read from their bytes, item by item and field by field: what cannot be read is not told and counted in `drwatch_provider_decode_errors_total`; `drwatch_account_up` tells when a whole answer cannot be",
			proven{
				sdrs + " TestOneBadItemLeavesTheOthers TestSlowFactsAreReadTolerantly TestSlowFactsThatFailHideNoOthers", evs + " TestOneBadItemLeavesTheOthers TestActiveSide",
				dws + " TestOneBadItemLeavesTheOthers TestClustersOfTheListAlone", ebs + " TestTolerantReading TestSlowFactsAreReadTolerantly",
				collector + " TestFailedPollKeepsTheLastGoodState", faults + " TestAWrongTypeInOneItem", "test/samples TestSamplesAndTheirMetrics",
			},
		},
		{
			9, "Alibaba's SDK", "speaks plain HTTP unless told otherwise",
			"HTTPS, unless the configured endpoint says http itself; the transport refuses another scheme",
			proven{ebs + " TestHTTPSIsTLS TestTheRegionsOwnEndpoint", config + " TestDefaults", common + " TestTransportSendsOneRequestPerCallToOneHost"},
		},
		{
			10, "Alibaba's SDK", "its errors hold the URL with key id, token and signature",
			"errors name operation and host, and all that was seen of keys on the wire is taken out of them",
			proven{
				common + " TestRedact TestRedactByName TestTransportWhenTheActionGetsNoWholeAnswer", ebs + " TestFailoverOutcomes TestListRefusesWhatIsNoAnswer",
				huawei + " TestSecretsAreNeverShown", keys + " TestKeysDoNotPrint", faults + " TestNoSecretIsShown",
			},
		},
		{
			11, "SDRS, EVS, EBS", "with the link down (fault_level 5) a failover is refused; before the first full copy it loses everything",
			"fault level, full copy, and a last recover point are conditions of readiness; DWS must have synchronised once",
			proven{
				sdrs + " TestPairsDecideHealth", evs + " TestFaultsAndPairs TestStates", dws + " TestLag", ebs + " TestConditionsStandAlone TestPairsDecideReadiness TestStatusAndDirection",
			},
		},
		{
			12, "SDRS", "health fields of newer groups are null, which the SDK makes the text `null`",
			"null and its text are not told; health is that of the pairs",
			proven{sdrs + " TestNullAsText TestPairsDecideHealth TestListReadsTheVendorsSample", evs + " TestFaultsAndPairs"},
		},
		{
			13, "Huawei's SDK", "sends a placeholder for an empty project id, and puts ids into the path as they are",
			"project ids are checked when the configuration is, ids before each request and as they are listed",
			proven{
				common + " TestValidID", config + " TestBadFiles", huawei + " TestNewClientRefusesBadSettings",
				sdrs + " TestFailoverOfNoID TestReadOfWhatIsNotThere TestTrack TestOneBadItemLeavesTheOthers", evs + " TestFailoverOfNoID TestReadAndTrackOfWhatIsNotThere",
				dws + " TestFailoverOfNoID TestAnswersThatAreNoListing", ebs + " TestFailoverThatIsNotSent TestReadOfAnUnknownGroup TestTolerantReading",
			},
		},
		{
			14, "Huawei's SDK", "asks for short-lived keys anew with each call, without a lock",
			"drwatch keeps them itself: early, one refresh at a time, while the old ones go on",
			proven{keys + " TestOneRefreshForAll TestWhenKeysAreRenewed TestFailedRefresh", huawei + " TestCredentialsAreReadBeforeEachCall", here + " TestNothingDoesWhatIsBanned", "test/credentials TestRotationLosesNoPoll"},
		},
		{
			15, "Alibaba's SDK", "a client may not be used by two at once",
			"each call has a client of its own",
			proven{ebs + " TestFailoverIsSafeForConcurrentUse TestListIsSafeForConcurrentUse"},
		},
		{
			16, "Alibaba's SDK", "the timeout of one request becomes that of all later ones",
			"no request has one: our transport's deadlines end calls, and what a poll waits for its turn does not count",
			proven{ebs + " TestAShortCallDoesNotShortenTheNext TestTheWaitForATurnIsNoPartOfTheCall TestFailoverTimesOutAsUncertain", huawei + " TestTheWaitForATurnIsNoPartOfTheCall", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			17, "both SDKs", "Alibaba's uses proxies of the environment even for this machine, Huawei's never",
			"one transport for both, which asks no environment",
			proven{common + " TestTransportIgnoresProxiesOfTheEnvironment", ebs + " TestFailoverIgnoresTheEnvironment", keys + " TestMetadataUsesNoProxy"},
		},
		{
			18, "Alibaba's SDK", "asks a service in another region where EBS is",
			"the endpoint is always given, and no other host is called",
			proven{ebs + " TestTheRegionsOwnEndpoint TestFailoverOnTheWire", common + " TestTransportSendsOneRequestPerCallToOneHost", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			19, "Huawei's SDK", "asks IAM for the project when it starts",
			"endpoint and project id must be given; nothing is asked before the first poll",
			proven{huawei + " TestNewClientRefusesBadSettings TestGetOnTheWire", config + " TestBadFiles", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			20, "both SDKs", "without keys they ask the machine's metadata, silently",
			"empty keys are an error that says what to do; metadata is asked only when the configuration says so",
			proven{huawei + " TestEmptyCredentials TestCredentialsThatCannotBeRead", ebs + " TestFailoverThatIsNotSent", keys + " TestUnreadableFiles TestEnv", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			21, "Huawei's SDK", "its table sends one region to another's host, and lacks most",
			"the endpoint is made of the region's name, or given",
			proven{config + " TestEndpointOfEachRegion", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			22, "Huawei's SDK", "half of its builders panic on a bad value",
			"only the other half is used, and within a guard",
			proven{here + " TestNothingDoesWhatIsBanned", common + " TestGuard"},
		},
		{
			23, "Huawei's SDK", "without a name for its user it writes a file into the home folder and tells of the machine",
			"it always has one",
			proven{huawei + " TestTheSDKLeavesNoTrace TestGetOnTheWire", ebs + " TestListReadsTheVendorsSample"},
		},
		{
			24, "both SDKs", "read answers without end, and know no context",
			"answers are cut off at 64 MiB, those of actions at 1 MiB; each call has its caller's context and a deadline for the whole of it",
			proven{
				common + " TestTransportEndsEndlessAndSlowBodies TestTransportSendsNothingAfterItReturned", huawei + " TestGetHasTheCallersContext",
				ebs + " TestDrillsEndWithTheContext TestFailoverThatIsNotSent", collector + " TestHangingReaderDelaysNobody",
			},
		},
		{
			25, "DWS, SDRS", "some calls destroy: DWS `recovery` drops the data of one side, updates change roles, deletes forget failures",
			"there is no code that makes them; only a drill that a person clears is deleted",
			proven{here + " TestNothingDoesWhatIsBanned", faults + " TestARuleSendsFailoversOnly"},
		},
		{
			26, "all", "reprotection overwrites what the old production still has",
			"no rule can ask for it, and what acts for a rule cannot do it",
			proven{here + " TestARuleIsGivenNothingButTheFailover TestARuleKnowsNoReprotection", faults + " TestARuleSendsFailoversOnly"},
		},
		{
			27, "all lists", "page tokens that repeat, counts that may be of the page or of all, filters that may not be known",
			"a list ends at a short page or an empty token; a page or token that comes again, or more than 200 pages, is an error and no listing; what a filter should have left out is not counted",
			proven{sdrs + " TestPages TestPagesWithoutEnd TestFullLastPage", evs + " TestRepeatedMarkerEnds TestPagesWithoutEnd", ebs + " TestListPages TestListRefusesWhatIsNoAnswer TestDrillsOfOtherGroupsAreNotCounted"},
		},
		{
			28, "all", "with a clock that is 15 minutes wrong every request is refused, the failover too",
			"`drwatch_account_clock_skew_seconds` from the Date of each answer",
			proven{common + " TestTransportRecordsTheExchange", collector + " TestMetricsGolden", "test/credentials TestClockSkew"},
		},
		{
			29, "SDRS's SDK", "a filter by status whose value begins with a space finds nothing",
			"lists are not filtered by status",
			proven{sdrs + " TestListReadsTheVendorsSample", here + " TestNothingDoesWhatIsBanned"},
		},
		{
			30, "SDRS", "a server or disk that was deleted behind its back makes a group inoperable, and only a failover tells",
			"an `invalid` pair or instance, or one that cannot be read, makes the group not ready",
			proven{sdrs + " TestPairsDecideHealth TestDeletedServerOrNoPairsIsNotReady TestAServerThatCannotBeRead"},
		},
		{
			31, "Alibaba", "its SDK has no support any more, and the way it signs may be switched off",
			"only one file knows the SDK, behind the same interface as all providers; the simulated cloud takes the newer signature too",
			proven{here + " TestNothingDoesWhatIsBanned", "internal/layout TestImportsFollowTheArrows", sim + " TestACS3Vector"},
		},
		{
			32, "EBS", "a prepaid pair that expires stops replicating, silently",
			"`drwatch_pair_expiry_timestamp_seconds`; a group with an expired pair is not ready, and what the provider says of a pair is a fault of its group",
			proven{ebs + " TestSlowFacts TestPairsDecideReadiness TestExpiredPairs", collector + " TestMetricsGolden TestFailedFactsKeepTheLastGoodOnes"},
		},
	}
}
