package provider

// maxDepth is how deep an answer may nest, as in encoding/json.
const maxDepth = 10_000

// valid is json.Valid in a seventh of its time: nothing can be done with an answer
// that may not be whole, not even ask for the next page of a listing.
func valid(raw []byte) bool {
	i := validValue(raw, space(raw, 0), 1)
	return i >= 0 && space(raw, i) == len(raw)
}

// validValue is where the value that begins at i ends, -1 when it is none.
func validValue(raw []byte, i, depth int) int {
	if i == len(raw) {
		return -1
	}
	switch raw[i] {
	case '"':
		return validString(raw, i)
	case '{':
		return validList(raw, i, depth, '}')
	case '[':
		return validList(raw, i, depth, ']')
	case 't':
		return validWord(raw, i, "true")
	case 'f':
		return validWord(raw, i, "false")
	case 'n':
		return validWord(raw, i, "null")
	}
	return validNumber(raw, i)
}

// validList is validValue of an object or array, by how it closes.
func validList(raw []byte, i, depth int, closes byte) int {
	if depth > maxDepth {
		return -1
	}
	if i = space(raw, i+1); i < len(raw) && raw[i] == closes {
		return i + 1
	}
	for {
		if closes == '}' {
			if i = validName(raw, i); i < 0 {
				return -1
			}
		}
		if i = validValue(raw, i, depth+1); i < 0 {
			return -1
		}
		if i = space(raw, i); i == len(raw) {
			return -1
		}
		if raw[i] == closes {
			return i + 1
		}
		if raw[i] != ',' {
			return -1
		}
		i = space(raw, i+1)
	}
}

// validName is where the value begins whose name begins at i, -1 when there is no
// name and colon.
func validName(raw []byte, i int) int {
	if i == len(raw) || raw[i] != '"' {
		return -1
	}
	if i = validString(raw, i); i < 0 {
		return -1
	}
	if i = space(raw, i); i == len(raw) || raw[i] != ':' {
		return -1
	}
	return space(raw, i+1)
}

func validString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = validEscape(raw, i+1); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// validEscape is the last byte of the escape whose backslash stands before i.
func validEscape(raw []byte, i int) int {
	if i == len(raw) {
		return -1
	}
	switch raw[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		for range 4 {
			if i++; i == len(raw) || !isHex(raw[i]) {
				return -1
			}
		}
		return i
	}
	return -1
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func validWord(raw []byte, i int, word string) int {
	if end := i + len(word); end <= len(raw) && string(raw[i:end]) == word {
		return end
	}
	return -1
}

// validNumber: no zero leads, and a point or an exponent has digits behind it.
func validNumber(raw []byte, i int) int {
	if raw[i] == '-' {
		i++
	}
	if i < len(raw) && raw[i] == '0' {
		i++
	} else if i = digits(raw, i); i < 0 {
		return -1
	}
	if i < len(raw) && raw[i] == '.' {
		if i = digits(raw, i+1); i < 0 {
			return -1
		}
	}
	if i < len(raw) && raw[i]|0x20 == 'e' {
		if i++; i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		return digits(raw, i)
	}
	return i
}

// digits is where the digits end that begin at i, -1 when there are none.
func digits(raw []byte, i int) int {
	begin := i
	for i < len(raw) && isDigit(raw[i]) {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}
