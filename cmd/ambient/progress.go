package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

// uploading shows how far an upload is.
func (a *app) uploading() ambient.CallOption {
	var sent, total atomic.Int64
	begun := time.Now()
	a.show(func() string { return uploadText(sent.Load(), total.Load(), time.Since(begun)) })
	return ambient.WithProgress(func(s, t int64) { // must not wait for the terminal
		sent.Store(s)
		total.Store(t)
	})
}

// uploadText says how much was sent, how fast, and how long the rest will take.
func uploadText(sent, total int64, took time.Duration) string {
	if sent == 0 {
		return "connecting"
	}
	rate := float64(sent) / max(took.Seconds(), 0.001)
	speed := fmt.Sprintf("%s/s", bytesText(int64(rate)))
	if total <= 0 {
		return fmt.Sprintf("uploading: %s, %s", bytesText(sent), speed)
	}
	left := time.Duration(float64(total-sent) / max(rate, 1) * float64(time.Second))
	return fmt.Sprintf("uploading: %d %% of %s, %s, %v left", 100*sent/total, bytesText(total), speed, left.Round(time.Second))
}

func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// onPoll shows the state of a job, in a line for each new one.
func (a *app) onPoll(kind string) ambient.WaitOption {
	var mu sync.Mutex
	last := map[int64]string{}
	return ambient.WithOnPoll(func(e ambient.PollEvent) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case e.Err != nil && e.Next == 0: // the error of the command says it
		case e.Err != nil:
			a.note("%s %d: %s", kind, e.ID, plainText(e.Err))
		case e.Status != last[e.ID]:
			last[e.ID] = e.Status
			a.note("%s %d: %s", kind, e.ID, e.Status)
		}
		a.waiting(kind, e)
	})
}

// waiting shows which job is waited for, and since when.
func (a *app) waiting(kind string, e ambient.PollEvent) {
	polled := time.Now()
	a.show(func() string {
		next := max(e.Next-time.Since(polled), 0)
		return fmt.Sprintf("waiting for %s %d, next look in %v", kind, e.ID, next.Round(time.Second))
	})
}

// observe says what makes the command slow, and what is odd about a recording.
func (a *app) observe(_ context.Context, e ambient.Event) {
	switch e.Kind {
	case ambient.EventRetry:
		a.note("%s; trying again in %v", plainText(e.Err), e.Wait.Round(100*time.Millisecond))
	case ambient.EventLimitClosed:
		a.note("the rate limit is reached: waiting for %v", e.Wait.Round(time.Second))
	case ambient.EventAudioFormat:
		a.warn("%s", e.Note)
	}
}
