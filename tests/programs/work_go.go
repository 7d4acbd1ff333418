// SPDX-License-Identifier: MIT
//
// work_go PROFILE MILLISECONDS: goroutines that compute, allocate, sort and recurse, and Go's own
// CPU profile of that, for tests that hold another profile against it. PROFILE "-": none.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime/pprof"
	"sort"
	"strconv"
	"sync"
	"time"
)

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() int {
	if t.left == nil {
		return 1
	}
	return t.left.count() + t.right.count() + 1
}

func digest(rounds int) (sum byte) {
	block := make([]byte, 1<<12)
	for i := 0; i < rounds; i++ {
		d := sha256.Sum256(block)
		sum ^= d[0]
	}
	return
}

func words(n int) int {
	counts := map[string]int{}
	for i := 0; i < n; i++ {
		counts[fmt.Sprintf("word %d", i%5000)]++
	}
	keys := []string{}
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return len(keys)
}

func descend(depth int) int {
	if depth == 0 {
		return int(digest(50))
	}
	return descend(depth-1) + 1
}

func main() {
	ms, _ := strconv.Atoi(os.Args[2])
	if os.Args[1] != "-" {
		f, _ := os.Create(os.Args[1])
		pprof.StartCPUProfile(f)
		defer func() { pprof.StopCPUProfile(); f.Close() }()
	}
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	var all sync.WaitGroup
	for _, job := range []func() int{
		func() int { return grow(14).count() },
		func() int { return int(digest(500)) },
		func() int { return words(20000) },
		func() int { return descend(50) },
	} {
		all.Add(1)
		go func(job func() int) {
			defer all.Done()
			for time.Now().Before(end) {
				job()
			}
		}(job)
	}
	all.Wait()
}
