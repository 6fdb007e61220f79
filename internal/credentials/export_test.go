package credentials

// The parsers of the metadata documents, for the fuzz target.
var (
	ParseHuawei = parseHuawei
	ParseAliyun = parseAliyun
)
