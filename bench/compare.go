package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

type targets []loadOpts

func (t *targets) String() string { return "" }

// Set reads NAME=URL[,pid=N[+M]][,key=K][,usage=true][,model=M][,tools=true]; a URL that begins with "direct:" is the mock itself.
func (t *targets) Set(v string) error {
	name, rest, ok := strings.Cut(v, "=")
	if !ok {
		return fmt.Errorf("want NAME=URL, got %q", v)
	}
	parts := strings.Split(rest, ",")
	o := loadOpts{Name: name, Base: parts[0]}
	if strings.HasPrefix(o.Base, "direct:") {
		o.Direct, o.Base = true, strings.TrimPrefix(o.Base, "direct:")
	}
	for _, p := range parts[1:] {
		k, val, _ := strings.Cut(p, "=")
		switch k {
		case "pid":
			o.Pids = parsePids(val)
		case "key":
			o.Key = val
		case "usage":
			o.Usage = val == "true"
		case "model":
			o.Model = val
		case "tools":
			o.Tools = val == "true"
		default:
			return fmt.Errorf("%q is not understood", p)
		}
	}
	*t = append(*t, o)
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sort.Float64s(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// compareMain runs the targets one after the other, round by round, and prints medians.
func compareMain(args []string) error {
	var o loadOpts
	var ts targets
	fs := flag.NewFlagSet("compare", flag.ExitOnError)
	loadFlags(fs, &o)
	fs.Var(&ts, "target", "NAME=URL[,pid=N][,key=K][,usage=true][,model=M][,tools=true], repeated; direct:URL is the mock itself")
	rounds := fs.Int("rounds", 3, "rounds")
	pause := fs.Duration("pause", 200*time.Millisecond, "between two runs")
	out := fs.String("out", "", "append each run's JSON to this file, a line each")
	label := fs.String("label", "", "printed with the table")
	_ = fs.Parse(args)
	runs := make([][]*loadReport, len(ts))
	for r := 0; r < *rounds; r++ {
		for k := range ts {
			i := (k + r) % len(ts) // not always in the same order
			t := o
			t.Name, t.Base, t.Direct, t.Pids = ts[i].Name, ts[i].Base, ts[i].Direct, ts[i].Pids
			if ts[i].Key != "" {
				t.Key = ts[i].Key
			}
			if ts[i].Model != "" {
				t.Model = ts[i].Model
			}
			t.Usage, t.Tools = o.Usage || ts[i].Usage, o.Tools || ts[i].Tools
			rep, err := runLoad(t)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], rep)
			if *out != "" {
				f, err := os.OpenFile(*out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
				if err != nil {
					return err
				}
				b, _ := json.Marshal(struct {
					Label string `json:"label"`
					*loadReport
				}{*label, rep})
				_, _ = f.Write(append(b, '\n'))
				f.Close()
			}
			time.Sleep(*pause)
		}
	}
	fmt.Printf("## %s model=%s c=%d n=%d rounds=%d stream=%v usage=%v prompt=%d\n", *label, o.Model, o.Conc, o.N, *rounds, o.Stream, o.Usage, o.Prompt)
	fmt.Printf("%-14s %5s %4s %4s %9s %9s %10s %8s %8s %8s %8s %9s %9s %9s %8s %8s %8s %6s\n", "target", "ok", "fail", "bad", "req/s", "kchar/s", "chunks/s", "ttft50", "ttft99", "tot50", "tot99", "gap99", "gapmax", "cpu-ms/rq", "us/ev", "peakMB", "KB/strm", "conns")
	for i := range ts {
		med := func(f func(*loadReport) float64) float64 {
			var v []float64
			for _, r := range runs[i] {
				v = append(v, f(r))
			}
			return median(v)
		}
		var ok, fail, bad int64
		for _, r := range runs[i] {
			ok += r.Ok
			fail += r.Failed
			bad += r.Mismatch + r.NoDone + r.NoFinish + r.NoUsage + r.ReasonBad + r.ToolBad + r.FalseEnd
		}
		peak := med(func(r *loadReport) float64 {
			if r.Proc == nil {
				return 0
			}
			return r.Proc.PeakMB
		})
		conns := med(func(r *loadReport) float64 {
			if r.Upstream == nil {
				return -1
			}
			return float64(r.Upstream.Connections)
		})
		fmt.Printf("%-14s %5d %4d %4d %9.1f %9.1f %10.0f %8.2f %8.2f %8.1f %8.1f %9.2f %9.2f %9.2f %8.1f %8.1f %8.1f %6.0f\n", ts[i].Name, ok, fail, bad,
			med(func(r *loadReport) float64 { return r.ReqPerS }), med(func(r *loadReport) float64 { return r.CharsPerS / 1000 }), med(func(r *loadReport) float64 { return r.ChunksPerS }),
			med(func(r *loadReport) float64 { return r.TTFT.P50 }), med(func(r *loadReport) float64 { return r.TTFT.P99 }),
			med(func(r *loadReport) float64 { return r.Total.P50 }), med(func(r *loadReport) float64 { return r.Total.P99 }), med(func(r *loadReport) float64 { return r.GapP99 }), med(func(r *loadReport) float64 { return r.GapMax }),
			med(func(r *loadReport) float64 { return r.CPUPerReq }), med(func(r *loadReport) float64 { return r.CPUPerEv }), peak, med(func(r *loadReport) float64 { return r.KBPerConc }), conns)
		seen := map[string]int{}
		for _, r := range runs[i] {
			for k, v := range r.Errors {
				seen[k] += v
			}
		}
		shown := 0
		for k, v := range seen {
			if shown++; shown <= 3 {
				fmt.Printf("    %dx %.160s\n", v, k)
			}
		}
	}
	return nil
}
