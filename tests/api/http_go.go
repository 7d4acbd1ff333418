// SPDX-License-Identifier: MIT
//
// What http_go.sh holds libstrobe's answers against: Go's own handlers, at the port that it prints.
package main

import (
	_ "expvar"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

var mu sync.Mutex

func contend() {
	for {
		mu.Lock()
		time.Sleep(time.Millisecond)
		mu.Unlock()
	}
}

func work() {
	for n := 0; ; n++ {
		if n%1000000 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	pprof.NewProfile("custom")
	go contend()
	go contend()
	go work()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, nil))
}
