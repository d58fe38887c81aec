package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/ambient-scribe/ambient-go"
)

// loopback is an address that every client accepts. Nothing is sent to it.
const loopback = "http://127.0.0.1:1"

const transcriptionJSON = `{"id":7,"task_status":"STT_COMPLETED","raw_text":"Synthetic visit.","created_at":"2025-11-06T14:05:00Z",` +
	`"updated_at":"2025-11-06T14:05:20Z","workflow_id":900007,"error_message":null}`

// getSlices is how many slices of sliceTime a client has in a round.
const (
	getSlices = 100
	sliceTime = 4 * time.Millisecond
)

// A getter makes one GET and decodes the answer, over a transport in memory.
type getter struct {
	name, note string
	get        func(context.Context) error
}

// getters are the clients of the first row. Each reads a small object of the API it
// was made for, with 7 to 11 members and 160 to 220 bytes.
func getters() []getter {
	var list []getter
	add := func(name, note string, get func(context.Context) error) {
		list = append(list, getter{name, note, get})
	}
	add(nameOurs, "retry policy, rate limiter, token, observer, CallInfo", getOurs())
	add(nameNetHTTP, "token, status check, json.Decoder; no retry, no limit", getByHand())
	add(nameRetryable, "retries; token, status check and json.Decoder by hand", retryableCaller(retryable(newCanned(transcriptionJSON)), "synthetic").get(loopback+"/transcribe/7"))

	gh := gitHub(loopback, newCanned(`{"login":"synthetic","id":7,"node_id":"MDQ6VXNlcjc=","type":"User","name":"Synthetic User",`+
		`"created_at":"2025-11-06T14:05:00Z","updated_at":"2025-11-06T14:05:20Z","public_repos":9}`))
	add(nameGitHub, "token, rate limit headers; no retry", func(ctx context.Context) error {
		_, _, err := gh.Users.Get(ctx, "synthetic")
		return err
	})
	hc := hCloud(loopback, newCanned(`{"action":{"id":7,"status":"running","command":"create_server","progress":50,`+
		`"started":"2025-11-06T14:05:00+00:00","finished":null,"error":null,"resources":[{"id":42,"type":"server"}]}}`))
	add(nameHCloud, "token, retry", func(ctx context.Context) error {
		_, _, err := hc.Action.GetByID(ctx, 7)
		return err
	})
	st := stripeClient(loopback, newCanned(`{"id":"file_7","object":"file","created":1762437900,"expires_at":null,"filename":"visit.mp3",`+
		`"purpose":"dispute_evidence","size":216540,"title":null,"type":"mp3","url":"https://files.example/v1/files/file_7/contents"}`))
	add(nameStripe, "token, retry", func(ctx context.Context) error {
		_, err := st.V1Files.Retrieve(ctx, "file_7", nil)
		return err
	})
	ai := openAI(loopback, newCanned(`{"id":"file-7","object":"file","bytes":216540,"created_at":1762437900,"expires_at":1762537900,`+
		`"filename":"visit.mp3","purpose":"user_data","status":"processed"}`))
	add(nameOpenAI, "token, retry", func(ctx context.Context) error {
		_, err := ai.Files.Get(ctx, "file-7")
		return err
	})
	as := assemblyAI(loopback, newCanned(`{"id":"7","status":"processing","audio_url":"https://files.example/7","text":null,"confidence":null,`+
		`"language_code":"en_us","punctuate":true,"audio_duration":null}`))
	add(nameAssembly, "token; no retry", func(ctx context.Context) error {
		_, err := as.Transcripts.Get(ctx, "7")
		return err
	})
	return append(list, retryingGetters()...)
}

// retryingGetters are clients that know no API. They get what this SDK gets.
func retryingGetters() []getter {
	const url, token = loopback + "/transcribe/7", "synthetic"
	rt := newCanned(transcriptionJSON)
	return []getter{
		{nameFailsafe, "retry policy; token, status check and json.Decoder by hand", failsafeCaller(failsafe(rt, 3), token).get(url)},
		{nameResty, "token, retry", restyCaller(restyClient(loopback, 3).SetTransport(rt).SetAuthToken(token)).get("/transcribe/7")},
		{nameResty3, "token, retry", resty3Caller(restyClient3(loopback, 3).SetTransport(rt).SetAuthToken(token)).get("/transcribe/7")},
		{nameAzure, "token, retry", newAzure(rt, 0, token).caller().get(url)},
		{nameAWS, "standard retryer; token, status check and json.Decoder in middlewares", newAWS(rt, retry.NewStandard(), token).caller().get(url)},
	}
}

// getOurs has everything on. The limiter is real and never holds back.
func getOurs() func(context.Context) error {
	events := 0
	c := ours(loopback, newCanned(transcriptionJSON),
		ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 5}),
		ambient.WithRateLimit(1e9, 1e9),
		ambient.WithObserver(func(context.Context, ambient.Event) { events++ }))
	var info ambient.CallInfo
	withInfo := ambient.WithCallInfo(&info)
	return func(ctx context.Context) error {
		t, err := c.Transcriptions.Get(ctx, 7, withInfo)
		if err == nil && (t.ID != 7 || len(info.Attempts) != 1 || events == 0) {
			return errors.New("not the answer that was sent")
		}
		return err
	}
}

// plainJob is what someone would decode into by hand.
type plainJob struct {
	ID           int64     `json:"id"`
	Status       string    `json:"task_status"`
	Text         *string   `json:"raw_text"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	WorkflowID   int64     `json:"workflow_id"`
	ErrorMessage *string   `json:"error_message"`
}

func getByHand() func(context.Context) error {
	return getWith(&http.Client{Transport: newCanned(transcriptionJSON)})
}

func getWith(client *http.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, loopback+"/transcribe/7", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer synthetic")
		resp, err := client.Do(req)
		return decodeByHand(resp, err)
	}
}

func decodeByHand(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	var job plainJob
	return decode(resp, &job)
}

// A getResult is what one GET costs.
type getResult struct {
	getter
	allocs, bytes int64
	nanos         sample // of each slice
}

// measureAllocs counts allocations and measures times. A slice times one client for some
// milliseconds, and the next slice is the next client's. A busy moment of the machine
// therefore slows all clients, and the median of many slices leaves it out.
func measureAllocs(list []getter, slices int) ([]getResult, error) {
	results := make([]getResult, len(list))
	calls := make([]int, len(list)) // in a slice
	for i, g := range list {
		if err := g.get(context.Background()); err != nil {
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
		b := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = g.get(context.Background())
			}
		})
		results[i] = getResult{getter: g, allocs: b.AllocsPerOp(), bytes: b.AllocedBytesPerOp()}
		calls[i] = max(int(sliceTime.Nanoseconds()*int64(b.N)/b.T.Nanoseconds()), 1)
	}
	for range slices {
		for i, g := range list {
			start := time.Now()
			for range calls[i] {
				if err := g.get(context.Background()); err != nil {
					return nil, fmt.Errorf("%s: %w", g.name, err)
				}
			}
			results[i].nanos = append(results[i].nanos, float64(time.Since(start).Nanoseconds())/float64(calls[i]))
		}
	}
	return results, nil
}
