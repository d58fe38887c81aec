package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// print shows the traces, the log, and the metrics as the page shows them.
func (t *telemetry) print(ctx context.Context, w io.Writer, page string) error {
	t.printTraces(w)
	t.printLog(w)
	return printMetrics(ctx, w, page)
}

func (t *telemetry) printTraces(w io.Writer) {
	fmt.Fprintln(w, "TRACES")
	inside := map[trace.SpanID][]tracetest.SpanStub{}
	for _, s := range t.spans.GetSpans() {
		inside[s.Parent.SpanID()] = append(inside[s.Parent.SpanID()], s)
	}
	for _, spans := range inside {
		slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	}
	for _, root := range inside[trace.SpanID{}] {
		fmt.Fprintf(w, "\ntrace %s\n", root.SpanContext.TraceID())
		printTree(w, inside, root, "", "")
	}
}

// printTree prints a span and those inside it. The branch leads to the span, and the
// indent is that of the lines below it.
func printTree(w io.Writer, inside map[trace.SpanID][]tracetest.SpanStub, s tracetest.SpanStub, branch, indent string) {
	duration := s.EndTime.Sub(s.StartTime).Round(time.Millisecond)
	line := fmt.Sprintf("%-44s %7s  %s", branch+s.Name, duration, attributesOf(s))
	fmt.Fprintln(w, strings.TrimRight(line, " "))
	children := inside[s.SpanContext.SpanID()]
	for i, child := range children {
		if i < len(children)-1 {
			printTree(w, inside, child, indent+"├── ", indent+"│   ")
		} else {
			printTree(w, inside, child, indent+"└── ", indent+"    ")
		}
	}
}

// attributesOf lists what the name of the span does not say.
func attributesOf(s tracetest.SpanStub) string {
	var words []string
	for _, a := range s.Attributes {
		switch key := string(a.Key); {
		case strings.HasPrefix(key, "url."), strings.HasPrefix(key, "server."), key == "http.request.method":
		default:
			words = append(words, key+"="+plain(a.Value))
		}
	}
	slices.Sort(words)
	if s.Status.Code == codes.Error {
		words = append(words, "ERROR")
	}
	return strings.Join(words, " ")
}

// plain quotes a text with spaces, and writes a number with three decimals at most.
func plain(v attribute.Value) string {
	switch text := v.String(); {
	case v.Type() == attribute.FLOAT64:
		return strconv.FormatFloat(math.Round(v.AsFloat64()*1000)/1000, 'f', -1, 64)
	case strings.Contains(text, " "):
		return strconv.Quote(text)
	default:
		return text
	}
}

func (t *telemetry) printLog(w io.Writer) {
	fmt.Fprint(w, "\nLOG\n\n")
	t.logs.mu.Lock()
	defer t.logs.mu.Unlock()
	for _, r := range t.logs.records {
		fmt.Fprintf(w, "%s %-5s trace_id=%s %q", r.Timestamp().Format("15:04:05.000"), r.Severity(), r.TraceID(), r.Body().AsString())
		for a := range r.WalkAttributes {
			fmt.Fprintf(w, " %s=%s", a.Key, plain(a.Value))
		}
		fmt.Fprintln(w)
	}
}

// printMetrics leaves out the buckets of histograms that have no exemplar.
func printMetrics(ctx context.Context, w io.Writer, page string) error {
	fmt.Fprint(w, "\nMETRICS, without the buckets that have no exemplar\n\n")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/openmetrics-text")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if line := lines.Text(); !strings.Contains(line, "_bucket{") || strings.Contains(line, "# {") {
			fmt.Fprintln(w, line)
		}
	}
	return lines.Err()
}
