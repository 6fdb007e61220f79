package exposition

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"io"
)

// piece is a stretch of text, compressed so that it can stand after any other:
// deflate blocks that end at a byte and refer to nothing before them (RFC 1951,
// an empty stored block as the last). It never changes once it was made.
type piece struct {
	deflated []byte
	sum      uint32 // CRC-32 of the text
	length   int64  // of the text, in bytes
	hash     uint64 // of the text, to find that it is the same again
}

// press makes pieces. Not safe for concurrent use.
type press struct {
	seed maphash.Seed
	w    *flate.Writer
	out  bytes.Buffer
}

func newPress() *press {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant of the package that refuses it
	}
	return &press{seed: maphash.MakeSeed(), w: w}
}

// piece compresses a text; old is returned when it is of the same text.
func (p *press) piece(text []byte, old *piece) (*piece, error) {
	hash := maphash.Bytes(p.seed, text)
	if old != nil && old.hash == hash && old.length == int64(len(text)) {
		return old, nil
	}
	p.out.Reset()
	p.w.Reset(&p.out)
	if _, err := p.w.Write(text); err != nil {
		return nil, err
	}
	if err := p.w.Flush(); err != nil {
		return nil, err
	}
	return &piece{deflated: bytes.Clone(p.out.Bytes()), sum: crc32.ChecksumIEEE(text), length: int64(len(text)), hash: hash}, nil
}

// body is a row of pieces.
type body struct {
	pieces []*piece
	sum    uint32
	length int64
	size   int64 // of all that is deflated
}

func (b *body) add(pieces ...*piece) {
	for _, p := range pieces {
		b.sum = joined(b.sum, p.sum, p.length)
		b.length += p.length
		b.size += int64(len(p.deflated))
		b.pieces = append(b.pieces, p)
	}
}

// The frame of a gzip stream (RFC 1952): no name, no time, unknown system; at
// the end one empty last block, then checksum and length.
var (
	gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff}
	lastPart = []byte{0x03, 0x00}
)

// gzipSize is how many bytes writeGzip writes.
func (b *body) gzipSize() int64 {
	return int64(len(gzipHead)+len(lastPart)) + b.size + 8
}

// writeGzip writes the body as one gzip member.
func (b *body) writeGzip(w io.Writer) error {
	tail := bytes.Clone(lastPart)
	tail = binary.LittleEndian.AppendUint32(tail, b.sum)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(b.length)) //nolint:gosec // by the format: modulo 2³²
	if _, err := w.Write(gzipHead); err != nil {
		return err
	}
	for _, p := range b.pieces {
		if _, err := w.Write(p.deflated); err != nil {
			return err
		}
	}
	_, err := w.Write(tail)
	return err
}

// writeText writes the body as it was before it was compressed.
func (b *body) writeText(w io.Writer) error {
	parts := make([]io.Reader, 0, len(b.pieces)+1)
	for _, p := range b.pieces {
		parts = append(parts, bytes.NewReader(p.deflated))
	}
	r := flate.NewReader(io.MultiReader(append(parts, bytes.NewReader(lastPart))...))
	defer r.Close()
	_, err := io.Copy(w, r)
	return err
}
