// Go's client of the shop; the command line is that of ../python/client.py. The schemas are generated into
// gen/ when the suite is run.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sort"
	"strings"
	"time"
)

// What is to be shown, in the order in which it is run.
var cases = []struct {
	name string
	run  func(*Shop)
}{
	{"products/create", createProducts},
	{"products/refused", refuseProducts},
	{"products/get", getProducts},
	{"products/update", updateProducts},
	{"products/delete", deleteProducts},
	{"products/pages", listProducts},
	{"products/stream", streamProducts},
	{"products/watch", watchProducts},
	{"products/bulk", bulkProducts},
	{"products/batch", batchProducts},
	{"orders/create", createOrders},
	{"orders/refused", refuseOrders},
	{"orders/key", keysOfOrders},
	{"orders/stock", stockOfOrders},
	{"orders/list", listOrders},
	{"orders/steps", stepsOfOrders},
	{"orders/track", trackOrders},
	{"prices/quote", quote},
	{"prices/degraded", degradedQuotes},
	{"chat/room", chatInRoom},
	{"chat/refused", refuseChat},
	{"chat/slow", slowChat},
	{"files/upload", uploadFiles},
	{"files/refused", refuseFiles},
	{"files/ranges", rangesOfFiles},
	{"access/tokens", tokens},
	{"access/rate", rate},
	{"calls/deadline", deadlines},
	{"calls/cancel", cancelCalls},
	{"calls/metadata", metadataOfCalls},
	{"calls/gzip", gzipCalls},
	{"calls/large", largeCalls},
	{"services/health", health},
	{"services/schema", schema},
}

func main() {
	ca := flag.String("ca", "", "")
	cert := flag.String("cert", "", "")
	key := flag.String("key", "", "")
	flag.Parse()
	mode, address, rest := flag.Arg(0), flag.Arg(1), flag.Args()[2:]
	shop := connect(address, *ca, *cert, *key)
	switch mode {
	case "all":
		os.Exit(runAll(shop, connect(rest[0], *ca, *cert, *key)))
	case "ends":
		ends(shop)
	case "keep":
		fmt.Println(strings.Join(keep(shop), " "))
	case "kept":
		kept(shop, rest[0], rest[1], rest[2])
	default:
		panic("unknown mode " + mode)
	}
}

func runAll(shop, limited *Shop) (code int) {
	for _, each := range cases {
		at := shop
		if each.name == "access/rate" {
			at = limited
		}
		started := time.Now()
		said := "ok"
		if !succeeds(func() { each.run(at) }) {
			said, code = "failed", 1
		}
		fmt.Printf("case %s %s %.1f\n", each.name, said, time.Since(started).Seconds())
	}
	for _, method := range methods(shop) {
		fmt.Println("method", method)
	}
	var paths []string
	called.Range(func(path, _ any) bool {
		paths = append(paths, path.(string))
		return true
	})
	sort.Strings(paths)
	for _, path := range paths {
		fmt.Println("called", path)
	}
	return code
}

func succeeds(run func()) (ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Printf("%v\n%s", fault, debug.Stack())
			ok = false
		}
	}()
	run()
	return true
}
