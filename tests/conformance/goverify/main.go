// Command goverify verifies an exported log with Go's own transparency log packages.
//
// It shares no code with the project: signed notes are golang.org/x/mod/sumdb/note,
// trees and tiles golang.org/x/mod/sumdb/tlog. The directory is one of
// https://c2sp.org/tlog-tiles.
//
// Usage: goverify DIR VKEY [PROOFS]
//
// Each line of PROOFS is a proof that somebody else has made, of the tree of the
// checkpoint, its hashes in base64:
//
//	record INDEX LEAF HASH...  the record is in it
//	tree SIZE ROOT HASH...     it continues the tree of that size
//
// Exit status: 0 intact, 1 tampered, 2 usage.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: goverify DIR VKEY [PROOFS]")
		os.Exit(2)
	}
	tree, err := verify(os.Args[1], os.Args[2])
	if err == nil && len(os.Args) == 4 {
		err = checkProofs(tree, os.Args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d entries, root %s\n", tree.N, tree.Hash)
}

func verify(dir, vkey string) (tlog.Tree, error) {
	tree, err := openCheckpoint(dir, vkey)
	if err != nil {
		return tree, fmt.Errorf("checkpoint: %w", err)
	}
	tiles := tlog.TileHashReader(tree, directory(dir))
	// Our own tree, made from the entries alone, as a second witness.
	var stored []tlog.Hash
	rebuilt := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, errors.New("no such hash")
			}
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for first := int64(0); first < tree.N; first += width {
		count := min(width, tree.N-first)
		entries, err := readBundle(dir, first/width, int(count))
		if err != nil {
			return tree, fmt.Errorf("entries %d to %d: %w", first, first+count-1, err)
		}
		indexes := make([]int64, count)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		// TileHashReader gives out only hashes that it has authenticated.
		leaves, err := tiles.ReadHashes(indexes)
		if err != nil {
			return tree, fmt.Errorf("tiles of entries %d to %d: %w", first, first+count-1, err)
		}
		for i, entry := range entries {
			n := first + int64(i)
			if tlog.RecordHash(entry) != leaves[i] {
				return tree, fmt.Errorf("entry %d was changed", n)
			}
			hashes, err := tlog.StoredHashes(n, entry, rebuilt)
			if err != nil {
				return tree, fmt.Errorf("entry %d: %w", n, err)
			}
			stored = append(stored, hashes...)
		}
	}
	if tree.N == 0 {
		return tree, nil
	}
	root, err := tlog.TreeHash(tree.N, rebuilt)
	if err != nil || root != tree.Hash {
		return tree, fmt.Errorf("the entries are not those of the checkpoint: %v", err)
	}
	for n := int64(0); n < tree.N; n++ {
		proof, err := tlog.ProveRecord(tree.N, n, rebuilt)
		if err != nil {
			return tree, fmt.Errorf("entry %d: %w", n, err)
		}
		leaf := stored[tlog.StoredHashIndex(0, n)]
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf); err != nil {
			return tree, fmt.Errorf("entry %d is not included: %w", n, err)
		}
	}
	return tree, nil
}

func checkProofs(tree tlog.Tree, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		words := strings.Split(line, " ")
		if len(words) < 3 {
			return fmt.Errorf("no proof: %q", line)
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return err
		}
		hashes := make([]tlog.Hash, len(words)-2)
		for i, word := range words[2:] {
			if hashes[i], err = tlog.ParseHash(word); err != nil {
				return err
			}
		}
		check := tlog.CheckTree(hashes[1:], tree.N, tree.Hash, n, hashes[0])
		if words[0] == "record" {
			check = tlog.CheckRecord(hashes[1:], tree.N, tree.Hash, n, hashes[0])
		}
		if check != nil {
			return fmt.Errorf("%s %d: %w", words[0], n, check)
		}
	}
	return nil
}

func openCheckpoint(dir, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, errors.New("another origin, or too few lines")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, errors.New("the root is no hash")
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

// directory reads tiles; tlog writes their paths with the height, C2SP without.
type directory string

func (dir directory) Height() int { return height }

func (dir directory) SaveTiles([]tlog.Tile, [][]byte) {}

func (dir directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
		read, err := os.ReadFile(filepath.Join(string(dir), filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		if len(read) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(read))
		}
		data[i] = read
	}
	return data, nil
}

func readBundle(dir string, index int64, count int) ([][]byte, error) {
	// Level 0 and the entries have the same numbers.
	tile := tlog.Tile{H: height, L: 0, N: index, W: count}
	path := "tile/entries/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/0/", height))
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	entries := make([][]byte, 0, count)
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s ends within an entry", path)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(entries) != count {
		return nil, fmt.Errorf("%s has %d entries, not %d", path, len(entries), count)
	}
	return entries, nil
}
