package exposition

import "hash/crc32"

// Polynomials over GF(2) modulo that of CRC-32 (IEEE 802.3), as crc32 writes
// them: the top bit is the coefficient of x⁰.
const (
	one      = uint32(1) << 31
	xToThe8  = one >> 8
	wordBits = 32
)

// times multiplies two polynomials.
func times(a, b uint32) uint32 {
	var product uint32
	for i := range wordBits {
		if a&(one>>i) != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc32.IEEE
		}
	}
	return product
}

// joined is the checksum of two texts in a row, from the checksum of each: the
// first is shifted by the length of the second, in bytes.
func joined(first, second uint32, length int64) uint32 {
	shift, square := one, xToThe8
	for ; length > 0; length >>= 1 {
		if length&1 != 0 {
			shift = times(shift, square)
		}
		square = times(square, square)
	}
	return times(first, shift) ^ second
}
