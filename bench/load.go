package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type loadOpts struct {
	Name    string
	Base    string
	Key     string
	Model   string
	Conc    int
	N       int
	Stream  bool
	Usage   bool
	Prompt  int
	Tools   bool
	Direct  bool
	Fresh   bool // a new connection for every request
	Ramp    time.Duration
	Timeout time.Duration
	MaxTime time.Duration
	Pids    []int
	Stats   string
}

// hist counts durations in log-linear buckets of about 1.5 %, and keeps the longest as it is.
type hist struct {
	b   [64 * 64]atomic.Int64
	max atomic.Int64
}

func (h *hist) add(d time.Duration) {
	for longest := h.max.Load(); int64(d) > longest && !h.max.CompareAndSwap(longest, int64(d)); longest = h.max.Load() {
	}
	v := uint64(max(d.Nanoseconds()/100, 0))
	if v < 64 {
		h.b[v].Add(1)
		return
	}
	e := bits.Len64(v) - 7
	h.b[min((e+1)*64+int(v>>e)-64, len(h.b)-1)].Add(1)
}

func (h *hist) quantile(q float64) float64 {
	var total int64
	for i := range h.b {
		total += h.b[i].Load()
	}
	if total == 0 {
		return 0
	}
	want, seen := int64(q*float64(total)), int64(0)
	for i := range h.b {
		seen += h.b[i].Load()
		if seen > want {
			v := float64(i)
			if i >= 64 {
				v = float64(uint64(i%64+64) << (i/64 - 1))
			}
			return v / 1e4 // ms
		}
	}
	return 0
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func quants(d []time.Duration) quantiles {
	if len(d) == 0 {
		return quantiles{}
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	at := func(q float64) float64 {
		return float64(d[min(int(q*float64(len(d))), len(d)-1)].Microseconds()) / 1000
	}
	return quantiles{at(0.5), at(0.95), at(0.99), at(1)}
}

type loadReport struct {
	Target     string         `json:"target,omitempty"`
	Model      string         `json:"model"`
	Conc       int            `json:"concurrency"`
	Ok         int64          `json:"ok"`
	Failed     int64          `json:"failed"`
	Mismatch   int64          `json:"content_mismatch"`
	ReasonBad  int64          `json:"reasoning_mismatch"`
	ToolBad    int64          `json:"tool_mismatch"`
	NoDone     int64          `json:"no_done"`
	NoFinish   int64          `json:"no_finish_reason"`
	NoUsage    int64          `json:"no_usage"`
	FalseEnd   int64          `json:"false_end"` // an answer that failed upstream looked like a whole one
	Wall       float64        `json:"wall_s"`
	ReqPerS    float64        `json:"req_per_s"`
	CharsPerS  float64        `json:"chars_per_s"`
	ChunksPerS float64        `json:"chunks_per_s"`
	EventsPerS float64        `json:"upstream_events_per_s"`
	BytesPerS  float64        `json:"bytes_per_s"`
	TTFT       quantiles      `json:"ttft_ms"`
	Total      quantiles      `json:"total_ms"`
	GapP50     float64        `json:"gap_p50_ms"`
	GapP99     float64        `json:"gap_p99_ms"`
	GapMax     float64        `json:"gap_max_ms"`
	CPUPerReq  float64        `json:"cpu_ms_per_req,omitempty"`
	CPUPerEv   float64        `json:"cpu_us_per_event,omitempty"`
	KBPerConc  float64        `json:"pss_kb_per_stream,omitempty"`
	Proc       *procReport    `json:"gateway,omitempty"`
	ClientCPU  float64        `json:"client_cpu_s"`
	Upstream   *mockSnapshot  `json:"upstream,omitempty"`
	Errors     map[string]int `json:"errors,omitempty"`
}

var words = strings.Fields("system answer request stream value model gateway token number server client message language because through between together important different something question however without another process example function return import string integer class object memory network protocol error response header buffer 2024 3.14 user's don't it's (see) e.g. naïve café")

func promptText(n int) string {
	var b strings.Builder
	x := uint32(12345)
	for b.Len() < n {
		x = x*1664525 + 1013904223
		b.WriteString(words[int(x>>16)%len(words)])
		if x>>28 == 0 {
			b.WriteString(".\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()[:n]
}

func requestBytes(o *loadOpts, host, prefix string) []byte {
	var body []byte
	path := prefix
	prompt := strings.ToValidUTF8(promptText(max(o.Prompt, 16)), "")
	if o.Direct {
		path += "/bot/" + url.PathEscape(o.Model)
		body, _ = json.Marshal(map[string]any{"version": "1.2", "type": "query", "query": []any{map[string]any{"role": "user", "content": prompt, "content_type": "text/markdown"}},
			"user_id": "", "conversation_id": "", "message_id": ""})
	} else {
		path += "/chat/completions"
		m := map[string]any{"model": o.Model, "stream": o.Stream, "messages": []any{map[string]any{"role": "user", "content": prompt}}}
		if o.Usage && o.Stream {
			m["stream_options"] = map[string]any{"include_usage": true}
		}
		if o.Tools {
			m["tools"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": toolName, "description": "The weather of a city.",
				"parameters": map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"},
					"text": map[string]any{"type": "string"}}, "required": []string{"city"}}}}}
		}
		body, _ = json.Marshal(m)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n", path, host, o.Key, len(body))
	b.Write(body)
	return b.Bytes()
}

// jsonField finds `"key"` + `:` + string in raw JSON and gives the decoded string: a scan that
// is enough for chat chunks and far cheaper than decoding them.
func jsonField(b, key []byte) ([]byte, bool) {
	i := bytes.Index(b, key)
	if i < 0 {
		return nil, false
	}
	j := i + len(key)
	for j < len(b) && (b[j] == ' ' || b[j] == ':') {
		j++
	}
	if j >= len(b) || b[j] != '"' {
		return nil, false
	}
	start := j
	esc := false
	for j++; j < len(b); j++ {
		if b[j] == '\\' {
			esc = true
			j++
		} else if b[j] == '"' {
			break
		}
	}
	if j >= len(b) {
		return nil, false
	}
	if !esc {
		return b[start+1 : j], true
	}
	var s string
	if json.Unmarshal(b[start:j+1], &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

var (
	kContent = []byte(`"content"`)
	kText    = []byte(`"text"`)
	kReason  = []byte(`"reasoning_content"`)
	kFinish  = []byte(`"finish_reason"`)
	kUsage   = []byte(`"usage"`)
	kPrompt  = []byte(`"prompt_tokens"`)
	kTools   = []byte(`"tool_calls"`)
	kName    = []byte(`"name"`)
	kArgs    = []byte(`"arguments"`)
	kError   = []byte(`"error"`)
	kData    = []byte("data:")
	kDone    = []byte("[DONE]")
	kEvent   = []byte("event:")
)

type outcome struct {
	ttft, total                                                  time.Duration
	bad, reasonBad, toolBad, noDone, noFinish, noUsage, falseEnd bool
	chars, chunks, bytes                                         int64
	err                                                          error
	keep                                                         bool
	gotReasoning                                                 string
	toolNames                                                    []string
	toolArgs                                                     strings.Builder
	firstMismatch                                                string
}

type worker struct {
	o    *loadOpts
	u    *url.URL
	req  []byte
	want expected
	gaps *hist
	c    net.Conn
	br   *bufio.Reader
}

func (w *worker) dial() error {
	if w.c != nil {
		return nil
	}
	c, err := net.DialTimeout("tcp", w.u.Host, 10*time.Second)
	if err != nil {
		return err
	}
	if w.u.Scheme == "https" {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	w.c, w.br = c, bufio.NewReaderSize(c, 16<<10)
	return nil
}

func (w *worker) drop() {
	if w.c != nil {
		w.c.Close()
		w.c = nil
	}
}

// one sends one request and checks the answer against what the mock is known to say.
// onFirst, where given, is called at the first content and may end the request by returning false.
func (w *worker) one(onFirst func() bool) (out outcome) {
	if w.o.Fresh {
		w.drop()
	}
	reused := w.c != nil
again:
	out = outcome{}
	if out.err = w.dial(); out.err != nil {
		return
	}
	_ = w.c.SetDeadline(time.Now().Add(w.o.Timeout))
	start := time.Now()
	if _, err := w.c.Write(w.req); err != nil {
		w.drop()
		if reused {
			reused = false
			goto again
		}
		out.err = err
		return
	}
	resp, err := http.ReadResponse(w.br, nil)
	if err != nil {
		w.drop()
		if reused { // the server may close an idle connection whenever it likes
			reused = false
			goto again
		}
		out.err = fmt.Errorf("response: %w", err)
		return
	}
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		w.drop()
		out.err = fmt.Errorf("status %d: %s", resp.StatusCode, bytes.TrimSpace(b))
		return
	}
	pos, last, ticked := 0, time.Time{}, false
	done, finish, usage, failed := false, false, false, false
	var reason strings.Builder
	tick := func() bool { // something of the answer has come
		now := time.Now()
		if !ticked {
			ticked = true
			out.ttft = now.Sub(start)
			if onFirst != nil && !onFirst() {
				return false
			}
		} else if w.gaps != nil {
			w.gaps.add(now.Sub(last))
		}
		last = now
		out.chunks++
		return true
	}
	take := func(text []byte) bool {
		if !tick() {
			return false
		}
		out.chars += int64(len(text))
		if !out.bad && (pos+len(text) > len(w.want.content) || w.want.content[pos:pos+len(text)] != string(text)) {
			out.bad = true
			out.firstMismatch = fmt.Sprintf("at byte %d: %.60q", pos, text)
		}
		pos += len(text)
		return true
	}
	if !w.o.Direct && !w.o.Stream {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			w.drop()
			out.err = err
			return
		}
		var m struct {
			Choices []struct {
				Message struct {
					Content          string `json:"content"`
					ReasoningContent string `json:"reasoning_content"`
					ToolCalls        []struct {
						Function struct {
							Name      string `json:"name"`
							Arguments string `json:"arguments"`
						} `json:"function"`
					} `json:"tool_calls"`
				} `json:"message"`
				FinishReason string `json:"finish_reason"`
			} `json:"choices"`
			Usage *struct {
				P int `json:"prompt_tokens"`
			} `json:"usage"`
		}
		if err := json.Unmarshal(b, &m); err != nil || len(m.Choices) == 0 {
			out.err = fmt.Errorf("not a completion: %.200s", b)
			return
		}
		take([]byte(m.Choices[0].Message.Content))
		reason.WriteString(m.Choices[0].Message.ReasoningContent)
		for _, t := range m.Choices[0].Message.ToolCalls {
			out.toolNames = append(out.toolNames, t.Function.Name)
			out.toolArgs.WriteString(t.Function.Arguments)
		}
		done, finish, usage = true, m.Choices[0].FinishReason != "", m.Usage != nil
	} else {
		br := bufio.NewReaderSize(resp.Body, 16<<10)
		event := ""
		var spill []byte
		for {
			line, err := br.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				spill = append(spill, line...)
				continue
			}
			if len(spill) > 0 {
				spill = append(spill, line...)
				line, spill = spill, nil
			}
			out.bytes += int64(len(line))
			if err == io.EOF && len(line) == 0 {
				break
			}
			if err != nil && err != io.EOF {
				w.drop()
				if w.want.fails { // a cut connection is an honest way to say that the answer was cut
					failed = true
					break
				}
				out.err = err
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			if w.o.Direct && bytes.HasPrefix(line, kEvent) {
				event = string(bytes.TrimSpace(line[6:]))
				if event == "done" {
					done, finish = true, true
				}
				continue
			}
			if !bytes.HasPrefix(line, kData) {
				continue
			}
			line = line[5:]
			if w.o.Direct {
				if event == "text" {
					if t, ok := jsonField(line, kText); ok && len(t) > 0 && !take(t) {
						w.drop()
						return
					}
				}
				continue
			}
			if bytes.Contains(line, kDone) && len(line) < 10 {
				done = true
				continue
			}
			if t, ok := jsonField(line, kContent); ok && len(t) > 0 && !take(t) {
				w.drop()
				return
			}
			if w.want.reasoning != "" {
				if t, ok := jsonField(line, kReason); ok {
					reason.Write(t)
				}
			}
			if _, ok := jsonField(line, kFinish); ok {
				finish = true
			}
			if w.o.Usage && bytes.Contains(line, kPrompt) {
				usage = true
			}
			if w.want.tool && bytes.Contains(line, kTools) {
				if name, ok := jsonField(line, kName); ok && len(name) > 0 {
					out.toolNames = append(out.toolNames, string(name))
				}
				if t, ok := jsonField(line, kArgs); ok && len(t) > 0 {
					out.toolArgs.Write(t)
					out.chars += int64(len(t))
					if !tick() {
						w.drop()
						return
					}
				}
			}
			if bytes.Contains(line, kError) {
				if failed = true; !w.want.fails {
					out.err = fmt.Errorf("in stream: %.200s", line)
				}
			}
		}
	}
	out.total = time.Since(start)
	if resp.Close || w.o.Fresh {
		w.drop()
	}
	if w.o.Direct && (w.want.tool || w.want.img || w.want.fails) {
		out.bad = false // the native form of these has no counterpart to compare with
		return
	}
	if w.want.fails {
		out.falseEnd = done && finish && !failed
		out.bad = !strings.HasPrefix(w.want.content, w.want.content[:min(pos, len(w.want.content))])
		return
	}
	if w.want.img {
		out.bad = out.chars == 0
	} else if pos != len(w.want.content) && !out.bad {
		// White space around a tool call is not worth a complaint.
		out.bad = !(w.want.tool && pos >= len(w.want.content)-2)
		out.firstMismatch = fmt.Sprintf("length %d, wanted %d", pos, len(w.want.content))
	}
	if !w.o.Direct {
		if w.want.reasoning != "" && strings.TrimSpace(reason.String()) != w.want.reasoning {
			out.reasonBad = true
		}
		if w.want.tool {
			out.toolBad = len(out.toolNames) != 1 || out.toolNames[0] != toolName || !w.want.sameArgs(out.toolArgs.String())
		}
		out.noUsage = w.o.Usage && !usage
	}
	out.noDone, out.noFinish = !done, !finish
	return
}

// sameArgs tells whether a call's arguments are the bot's: byte for byte where it said them as JSON, else value for value.
func (e *expected) sameArgs(got string) bool {
	if e.verbatim || got == e.args {
		return got == e.args
	}
	var have, want any
	return json.Unmarshal([]byte(got), &have) == nil && json.Unmarshal([]byte(e.args), &want) == nil && reflect.DeepEqual(have, want)
}

func selfCPU() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func getStats(base string) (*mockSnapshot, error) {
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(strings.TrimRight(base, "/") + "/stats")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var s mockSnapshot
	return &s, json.NewDecoder(r.Body).Decode(&s)
}

func runLoad(o loadOpts) (*loadReport, error) {
	u, err := url.Parse(o.Base)
	if err != nil {
		return nil, err
	}
	if h := u.Hostname(); h != "127.0.0.1" && h != "localhost" && h != "::1" {
		return nil, fmt.Errorf("%s is not this machine: the rig only talks to loopback", h)
	}
	s, err := parseSpec(o.Model)
	if err != nil {
		return nil, err
	}
	want := s.expected()
	rep := &loadReport{Target: o.Name, Model: o.Model, Conc: o.Conc, Errors: map[string]int{}}
	var before *mockSnapshot
	if o.Stats != "" {
		if before, err = getStats(o.Stats); err != nil {
			return nil, err
		}
	}
	var gaps hist
	var left atomic.Int64
	left.Store(int64(o.N))
	var mu sync.Mutex
	var ttft, total []time.Duration
	var chars, chunks, nbytes int64
	req := requestBytes(&o, u.Host, strings.TrimRight(u.Path, "/"))
	pw := watch(o.Pids)
	cpu0 := selfCPU()
	start := time.Now()
	end := start.Add(o.MaxTime)
	var wg sync.WaitGroup
	for i := 0; i < o.Conc; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			if o.Ramp > 0 {
				time.Sleep(o.Ramp * time.Duration(i) / time.Duration(o.Conc))
			}
			w := &worker{o: &o, u: u, req: req, want: want, gaps: &gaps}
			defer w.drop()
			for left.Add(-1) >= 0 && time.Now().Before(end) {
				out := w.one(nil)
				mu.Lock()
				if out.err != nil {
					rep.Failed++
					msg := out.err.Error()
					if j := strings.Index(msg, "->"); j > 0 && j < 60 { // two ports: one error, not many
						msg = "… " + msg[j:]
					}
					if len(rep.Errors) < 8 {
						rep.Errors[msg]++
					}
				} else {
					rep.Ok++
					ttft = append(ttft, out.ttft)
					total = append(total, out.total)
				}
				chars += out.chars
				chunks += out.chunks
				nbytes += out.bytes
				for _, f := range []struct {
					b bool
					n *int64
				}{{out.bad, &rep.Mismatch}, {out.reasonBad, &rep.ReasonBad}, {out.toolBad, &rep.ToolBad}, {out.noDone, &rep.NoDone}, {out.noFinish, &rep.NoFinish}, {out.noUsage, &rep.NoUsage}, {out.falseEnd, &rep.FalseEnd}} {
					if f.b && out.err == nil {
						*f.n++
					}
				}
				if out.bad && out.err == nil && len(rep.Errors) < 8 {
					rep.Errors["content "+out.firstMismatch]++
				}
				mu.Unlock()
			}
		}(i)
	}
	wg.Wait()
	wall := time.Since(start).Seconds()
	rep.ClientCPU = selfCPU() - cpu0
	rep.Proc = pw.done()
	rep.Wall = wall
	rep.ReqPerS = float64(rep.Ok) / wall
	rep.CharsPerS = float64(chars) / wall
	rep.ChunksPerS = float64(chunks) / wall
	rep.EventsPerS = rep.ReqPerS * float64(s.perAnswer())
	rep.BytesPerS = float64(nbytes) / wall
	rep.TTFT, rep.Total = quants(ttft), quants(total)
	rep.GapP50, rep.GapP99 = gaps.quantile(0.5), gaps.quantile(0.99)
	rep.GapMax = float64(gaps.max.Load()) / 1e6
	if rep.Proc != nil && rep.Ok > 0 {
		rep.CPUPerReq = rep.Proc.CPUs * 1e3 / float64(rep.Ok)
		rep.CPUPerEv = rep.Proc.CPUs * 1e6 / float64(rep.Ok) / float64(s.perAnswer())
		rep.KBPerConc = (rep.Proc.PeakMB - rep.Proc.BaseMB) * 1024 / float64(o.Conc)
	}
	if before != nil {
		if after, err := getStats(o.Stats); err == nil {
			rep.Upstream = &mockSnapshot{Connections: after.Connections - before.Connections, Requests: after.Requests - before.Requests,
				Streams: after.Streams - before.Streams, Finished: after.Finished - before.Finished, Cancelled: after.Cancelled - before.Cancelled,
				Handshakes: after.Handshakes - before.Handshakes, Resumed: after.Resumed - before.Resumed, BytesIn: after.BytesIn - before.BytesIn,
				Events: after.Events - before.Events, Open: after.Open, StreamsOpen: after.StreamsOpen, Uploads: after.Uploads - before.Uploads}
		}
	}
	return rep, nil
}

func loadFlags(fs *flag.FlagSet, o *loadOpts) {
	fs.StringVar(&o.Key, "key", "bench-key", "bearer token to send")
	fs.StringVar(&o.Model, "model", "bench-e50-c12-d0", "model, that is: the mock bot's name")
	fs.IntVar(&o.Conc, "c", 32, "concurrency")
	fs.IntVar(&o.N, "n", 320, "number of requests")
	fs.BoolVar(&o.Stream, "stream", true, "ask for a stream")
	fs.BoolVar(&o.Usage, "usage", false, "ask for usage in the stream")
	fs.IntVar(&o.Prompt, "prompt", 64, "prompt size in bytes")
	fs.BoolVar(&o.Tools, "tools", false, "send a tool definition")
	fs.BoolVar(&o.Fresh, "fresh", false, "a new client connection for every request")
	fs.DurationVar(&o.Ramp, "ramp", 0, "spread the workers' starts over this time")
	fs.DurationVar(&o.Timeout, "timeout", 60*time.Second, "limit for one request")
	fs.DurationVar(&o.MaxTime, "max-time", 120*time.Second, "no request is begun after this time")
	fs.StringVar(&o.Stats, "stats", "", "the mock's base URL, to report its connections and cancellations")
}

func loadMain(args []string) error {
	var o loadOpts
	fs := flag.NewFlagSet("load", flag.ExitOnError)
	loadFlags(fs, &o)
	fs.StringVar(&o.Base, "base", "http://127.0.0.1:8080/v1", "gateway's base URL, up to and without /chat/completions; with --direct the mock's")
	fs.BoolVar(&o.Direct, "direct", false, "talk to the mock's /bot API itself: the baseline")
	pid := fs.String("pid", "", "gateway's PID (its children are counted too); several: 1+2")
	_ = fs.Parse(args)
	o.Pids = parsePids(*pid)
	rep, err := runLoad(o)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", " ")
	return enc.Encode(rep)
}
