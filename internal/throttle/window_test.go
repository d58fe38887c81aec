package throttle

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Remaining: 0 on a good answer closes the endpoint before anyone is refused.
func TestNothingLeftClosesBeforeARefusal(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 100, 0, 3*time.Second))
		assert.Equal(b, b.start.Add(3*time.Second), b.rejected(get, time.Second).Until)
		assert.Equal(b, 3*time.Second, b.waits(get, good))
		changes := b.seen()
		require.Len(b, changes, 2)
		assert.Equal(b, b.start.Add(3*time.Second), changes[0].Until)
		assert.Zero(b, changes[0].Waiting)
		assert.Equal(b, 1, changes[1].Waiting)
	})
}

// What remains, less what is on its way, goes at once. The rest waits for the reset.
// Then one goes, and what it reports to remain.
func TestWindowWithHeaders(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 5, 3, 2*time.Second))
		var permits []*Permit
		for range 3 {
			permits = append(permits, b.send(get))
		}
		went := make(chan *Permit, 20)
		for range 7 {
			go func() {
				p, err := b.Acquire(b.Context(), get, time.Hour, new(uint64))
				assert.NoError(b, err)
				assert.True(b, b.Confirm(p))
				went <- p
			}()
		}
		synctest.Wait()
		assert.Empty(b, went)
		for _, p := range permits {
			b.end(p, told(200, 5, 0, 2*time.Second))
		}
		time.Sleep(1999 * time.Millisecond)
		assert.Empty(b, went)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Len(b, went, 1, "one of the next window")
		b.end(<-went, told(200, 5, 4, 2*time.Second))
		synctest.Wait()
		require.Len(b, went, 4)
		for range 4 {
			b.end(<-went, told(200, 5, 0, 2*time.Second))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(b, went, 1)
		b.end(<-went, told(200, 5, 4, 2*time.Second))
		synctest.Wait()
		assert.Len(b, went, 1)
		assert.Equal(b, 4*time.Second, b.since())
	})
}

// Uploads that are on their way for longer than any window keep nobody from going: what
// the limit allows next does not depend on when they end.
func TestLongRequestsHoldNobodyUp(t *testing.T) {
	for name, c := range map[string]struct {
		before func(b *bench)
		long   int
		want   time.Duration
	}{
		"all that remained, until the reset": {
			before: func(b *bench) { b.end(b.send(post), told(200, 10, 1, 5*time.Second)) },
			long:   1, want: 5 * time.Second,
		},
		"a whole window": {
			before: func(b *bench) { b.end(b.send(post), told(200, 5, 5, time.Second)) },
			long:   5, want: time.Second,
		},
		"the first of a window of which nothing is told": {
			before: func(b *bench) {
				b.end(b.send(post), told(200, 5, 5, time.Second))
				time.Sleep(2 * time.Second)
			},
			long: 1, want: counted,
		},
		"a part of a window that others use too": {
			before: func(b *bench) {
				b.end(b.send(post), told(200, 100, 50, time.Minute))
				time.Sleep(time.Millisecond)
				b.end(b.send(post), told(429, 100, 0, time.Second))
				time.Sleep(time.Minute)
				b.end(b.send(post), told(200, 100, 7, time.Minute))
			},
			long: 1, want: counted,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				c.before(b)
				var long []*Permit
				for range c.long {
					long = append(long, b.send(post))
				}
				assert.LessOrEqual(b, b.waits(post, lost), c.want)
				for _, p := range long {
					b.end(p, good)
				}
				b.idle()
			})
		})
	}
}

// Requests that have been on their way for long, and those that were lost, have spent
// what they spent.
func TestWhatIsOnItsWayCounts(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 10, 6, time.Minute))
		for range 3 {
			b.send(get)
		}
		b.end(b.send(get), lost)
		time.Sleep(counted)
		b.send(get)
		b.send(get)
		assert.Equal(b, time.Minute-counted, b.waits(get, lost), "1, 3 and 2 are the 6 that remained")
	})
}

// A limit that is lowered in mid-run shows in the answers and is kept to.
func TestLimitLoweredInMidRun(t *testing.T) {
	onBench(t, func(b *bench) {
		window := &fixedWindow{limit: 50, window: time.Second, headers: true}
		l := newLoad(b.T, window, 0)
		for i := range 300 {
			if i == 100 {
				window.limit = 10
			}
			require.NoError(b, l.call(b.Context(), b.Throttle, get, time.Hour))
		}
		assert.LessOrEqual(b, l.refused[get], 1)
		assert.InDelta(b, 22*time.Second, b.since(), float64(2*time.Second))
	})
}

// A server that stops sending headers does not leave a count behind that no reset ends.
func TestHeadersThatStopComing(t *testing.T) {
	for _, limit := range []int64{-1, 3} {
		onBench(t, func(b *bench) {
			b.waits(get, told(200, limit, 2, time.Second))
			for range 20 {
				b.waits(get, good)
			}
			assert.LessOrEqual(b, b.since(), time.Second)
			for range 5 {
				b.send(get)
			}
		})
	}
}

// What tells no window leaves none behind: neither a reset in the past, nor one without a
// count of what remains.
func TestHeadersThatTellNoWindow(t *testing.T) {
	for name, a := range map[string]func() answer{
		"a reset in the past": func() answer { return told(200, 10, 0, -time.Hour) },
		"a reset now":         func() answer { return told(200, 10, 0, 0) },
		"no count":            func() answer { return told(200, 10, -1, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.end(b.send(get), a())
				for range 2 {
					for range 20 {
						b.send(get)
					}
					time.Sleep(time.Hour)
				}
			})
		})
	}
}

// An answer to the first request after a reset is believed, however late it comes.
func TestALateAnswerAfterAReset(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 10, 0, time.Second))
		time.Sleep(time.Second)
		p := b.send(get)
		time.Sleep(2 * time.Second)
		b.end(p, told(200, 10, 0, 10*time.Second))
		assert.Equal(b, 10*time.Second, b.waits(get, good))
	})
}

// A call that gives up holds nobody up who was sent behind it.
func TestAPermitGivenUpHoldsNobodyUp(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 10, 0, time.Second))
		time.Sleep(time.Second)
		given, err := b.Acquire(b.Context(), get, time.Hour, new(uint64))
		require.NoError(b, err)
		b.end(given, lost)
		b.send(get) // on its way for long
		assert.Equal(b, counted, b.waits(get, good))
	})
}

// Limit: 0 is ignored, with all that comes with it. Any other limit with nothing left
// for an hour, in every answer, is tried once a minute.
func TestHintIsNoLock(t *testing.T) {
	for limit, want := range map[int64]int{0: 14400, 100: 240, -1: 240} {
		onBench(t, func(b *bench) {
			sent := 0
			for b.since() < 4*time.Hour {
				p, err := b.Acquire(b.Context(), get, 15*time.Minute, new(uint64))
				if err == nil {
					require.True(b, b.Confirm(p))
					b.end(p, told(200, limit, 0, time.Hour))
					sent++
				}
				time.Sleep(time.Second)
			}
			assert.InDelta(b, want, sent, 1, "limit %d", limit)
		})
	}
}

// Whatever a probe brings is believed: that something remains, and that no answer
// reports a limit any more.
func TestProbeOfAWindow(t *testing.T) {
	for name, a := range map[string]func() answer{
		"something remains":      func() answer { return told(200, 100, 5, 59*time.Minute) },
		"another reset":          func() answer { return told(200, 100, 5, time.Second) },
		"another limit":          func() answer { return told(200, 1000, 5, time.Second) },
		"nothing of the kind":    func() answer { return good },
		"a limit of 0":           func() answer { return told(200, 0, 0, time.Hour) },
		"an error of the caller": func() answer { return answer{404, unknown} },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.end(b.send(get), told(200, 100, 0, time.Hour))
				time.Sleep(windowProbe)
				b.end(b.send(get), a())
				for range 4 {
					b.send(get)
				}
			})
		})
	}
	for name, a := range map[string]answer{"no answer": lost, "an error of the server": {502, unknown}, "another": {500, unknown}} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.end(b.send(get), told(200, 100, 0, time.Hour))
				assert.Equal(b, windowProbe, b.waits(get, a))
				assert.Equal(b, windowProbe, b.waits(get, good))
				b.send(get)
			})
		})
	}
}

// A refused probe is a refusal like any other: the next comes after 15 minutes.
func TestRefusedProbeOfAWindow(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 100, 0, time.Hour))
		assert.Equal(b, windowProbe, b.waits(get, told(429, 100, 0, 2*time.Hour)))
		assert.Equal(b, closingProbe, b.waits(get, good))
	})
}

// shared are two endpoints whose answers have reported the same limit.
func shared(b *bench, remaining int64, reset time.Duration) {
	b.end(b.send(get), told(200, 100, remaining, reset))
	b.end(b.send(post), told(200, 100, remaining, reset))
	time.Sleep(time.Millisecond)
	require.Same(b, b.endpoints[get].window, b.endpoints[post].window)
}

// What one endpoint's answer reports holds up the others that report the same limit, for
// a minute at most.
func TestSharedWindow(t *testing.T) {
	onBench(t, func(b *bench) {
		shared(b, 50, time.Hour)
		b.end(b.send(get), told(200, 100, 0, time.Hour))
		changes := b.seen()
		require.Len(b, changes, 2, "each endpoint has closed")
		assert.Equal(b, windowProbe, b.waits(post, told(200, 100, 49, time.Hour-windowProbe)))
		b.end(b.send(post), told(200, 100, 48, time.Hour-windowProbe))
		b.end(b.send(get), told(200, 100, 0, time.Hour-windowProbe))
		for range 48 {
			b.send(post)
		}
		assert.Equal(b, windowProbe, b.waits(get, told(200, 100, 0, time.Hour-2*windowProbe)))
	})
}

// A refusal says no more of other endpoints than its header does.
func TestSharedWindowAndARefusal(t *testing.T) {
	onBench(t, func(b *bench) {
		shared(b, 50, time.Hour)
		b.end(b.send(get), retryAfter(time.Hour))
		b.send(post)
	})
	onBench(t, func(b *bench) {
		shared(b, 50, time.Hour)
		b.end(b.send(get), told(429, 100, 0, time.Hour))
		assert.Equal(b, windowProbe, b.waits(post, told(200, 100, 49, time.Hour-windowProbe)))
		b.send(post)
		assert.Equal(b, closingProbe-windowProbe, b.waits(get, good))
	})
}

// An endpoint has a window of its own from the answer on that shows it.
func TestOwnWindow(t *testing.T) {
	for name, own := range map[string]func() answer{
		"as much as was known":  func() answer { return told(200, 100, 50, time.Hour) },
		"more":                  func() answer { return told(200, 100, 99, time.Hour) },
		"less, another reset":   func() answer { return told(200, 100, 7, 59*time.Minute) },
		"less, a later reset":   func() answer { return told(200, 100, 7, 61*time.Minute) },
		"less, a reset in 10 s": func() answer { return told(200, 100, 7, 10*time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				shared(b, 50, time.Hour)
				b.end(b.send(post), own())
				require.NotSame(b, b.endpoints[get].window, b.endpoints[post].window)
				b.end(b.send(get), told(200, 100, 0, time.Hour))
				b.send(post)
				b.rejected(get, time.Minute)
			})
		})
	}
}

// It has not where the calls on their way explain the answer, or the end of the window.
func TestWindowStaysShared(t *testing.T) {
	for name, test := range map[string]func(b *bench){
		"sent before the count was known": func(b *bench) {
			p := b.send(post)
			b.end(b.send(get), told(200, 100, 20, time.Hour))
			b.end(p, told(200, 100, 49, time.Hour))
		},
		"a slow answer with a reset in seconds": func(b *bench) {
			p := b.send(post)
			time.Sleep(30 * time.Second)
			b.end(b.send(get), told(200, 100, 20, time.Hour-30*time.Second))
			b.end(p, told(200, 100, 49, time.Hour))
		},
		"a reset rounded up": func(b *bench) { b.end(b.send(post), told(200, 100, 49, time.Hour+time.Second)) },
		"one less":           func(b *bench) { b.end(b.send(post), told(200, 100, 49, time.Hour)) },
		"nothing left":       func(b *bench) { b.end(b.send(post), told(200, 100, 0, time.Hour)) },
		"the next window, a second early": func(b *bench) {
			time.Sleep(time.Hour - time.Second)
			b.end(b.send(post), told(200, 100, 99, time.Hour))
		},
		"the next window": func(b *bench) {
			time.Sleep(time.Hour)
			b.end(b.send(post), told(200, 100, 99, time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				shared(b, 50, time.Hour)
				test(b)
				require.Same(b, b.endpoints[get].window, b.endpoints[post].window)
			})
		})
	}
}

// Endpoints that report different limits, or none, share nothing.
func TestOtherLimits(t *testing.T) {
	for _, limit := range []int64{-1, 10, 1000} {
		onBench(t, func(b *bench) {
			b.end(b.send(get), told(200, 100, 50, time.Hour))
			b.end(b.send(post), told(200, limit, 50, time.Hour))
			b.end(b.send(get), told(200, 100, 0, time.Hour))
			b.send(post)
			b.end(b.send(post), told(200, limit, 0, time.Hour))
			b.rejected(post, time.Minute)
			b.rejected(get, time.Minute)
		})
	}
	onBench(t, func(b *bench) { // a limit that changes
		shared(b, 50, time.Hour)
		b.end(b.send(get), told(200, 10, 5, time.Hour))
		b.end(b.send(post), told(200, 100, 0, time.Hour))
		b.end(b.send(get), told(200, 10, 4, time.Hour))
		b.rejected(post, time.Minute)
		time.Sleep(windowProbe)
		b.end(b.send(post), told(200, 10, 3, 59*time.Minute))
		require.Same(b, b.endpoints[get].window, b.endpoints[post].window)
	})
}

// A refusal where something remained shows that others use the limit, so that less goes
// at once from then on.
func TestOthersUseTheLimit(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 100, 50, time.Minute))
		time.Sleep(time.Millisecond)
		b.end(b.send(get), told(429, 100, 0, time.Minute))
		time.Sleep(time.Minute)
		b.end(b.send(get), told(200, 100, 80, time.Minute))
		for range 80 / part {
			b.send(get)
		}
		_, err := b.Acquire(b.within(time.Millisecond), get, time.Hour, new(uint64))
		assert.Error(b, err)
	})
}

// An answer without headers leaves what is known of the window.
func TestAnAnswerWithoutHeaders(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 10, 3, 10*time.Second))
		time.Sleep(time.Second)
		for range 3 {
			assert.Zero(b, b.waits(get, good))
		}
		assert.Equal(b, 9*time.Second, b.waits(get, good))
	})
}

// After some resets without another such refusal, all that remains goes at once again.
func TestOthersAreForgotten(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 100, 50, time.Minute))
		time.Sleep(time.Millisecond)
		b.end(b.send(get), told(429, 100, 0, time.Minute))
		for range sharedFor {
			time.Sleep(time.Minute)
			b.end(b.send(get), told(200, 100, 80, time.Minute))
		}
		for range 80 {
			b.send(get)
		}
	})
}

// A report that shows another window of the same limit is believed, whatever came first.
func TestReportsOfAnotherWindow(t *testing.T) {
	for name, test := range map[string]func(b *bench){
		"sent before a reset, answered after it": func(b *bench) {
			b.end(b.send(get), told(200, 10, 3, time.Second))
			time.Sleep(500 * time.Millisecond)
			p := b.send(get)
			time.Sleep(700 * time.Millisecond)
			b.end(p, told(200, 10, 0, time.Second))
			assert.Equal(b, time.Second, b.waits(get, good))
		},
		"sent before another endpoint had a window": func(b *bench) {
			p := b.send(post)
			time.Sleep(5 * time.Second)
			b.end(b.send(get), told(200, 100, 50, time.Hour))
			b.end(p, told(200, 100, 0, 2*time.Hour))
			b.rejected(post, time.Minute)
			b.send(get)
		},
	} {
		t.Run(name, func(t *testing.T) { onBench(t, test) })
	}
}

// Of two answers to requests of which nothing was known, the least holds.
func TestTheLeastHolds(t *testing.T) {
	onBench(t, func(b *bench) {
		first := b.send(get)
		time.Sleep(time.Millisecond)
		second := b.send(get)
		b.end(first, told(200, 100, 1, time.Minute))
		b.end(second, told(200, 100, 50, time.Minute))
		b.send(get)
		assert.Equal(b, time.Minute, (b.waits(get, good) + time.Millisecond).Round(time.Second))
	})
}

// What shows that nobody else uses the limit: a window that is whole after its reset. And
// what does not show that others do: a refusal where nothing remained.
func TestNobodyElseUsesTheLimit(t *testing.T) {
	for name, before := range map[string]func(b *bench){
		"whole": func(b *bench) {
			b.end(b.send(get), told(200, 100, 50, time.Minute))
			time.Sleep(time.Millisecond)
			b.end(b.send(get), told(429, 100, 0, time.Minute))
			time.Sleep(time.Minute)
			b.end(b.send(get), told(200, 100, 100, time.Minute))
		},
		"refused where nothing remained": func(b *bench) {
			b.end(b.send(get), told(200, 100, 0, 2*time.Minute))
			time.Sleep(windowProbe)
			b.end(b.send(get), told(429, 100, 0, time.Minute))
			time.Sleep(time.Minute)
			b.end(b.send(get), told(200, 100, 80, time.Minute))
		},
		"refused beside one that found nothing left": func(b *bench) {
			b.end(b.send(get), told(200, 100, 3, time.Minute))
			time.Sleep(time.Millisecond)
			first, second := b.send(get), b.send(get)
			b.end(first, told(200, 100, 0, time.Minute))
			b.end(second, told(429, 100, 0, time.Minute))
			time.Sleep(time.Minute)
			b.end(b.send(get), told(200, 100, 80, time.Minute))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				before(b)
				for range 80 {
					b.send(get)
				}
			})
		})
	}
}

// The answer to an older request says nothing of a window that the answer to a newer one
// has shown.
func TestAnOlderReport(t *testing.T) {
	onBench(t, func(b *bench) {
		older := b.send(get)
		time.Sleep(time.Millisecond)
		b.end(b.send(get), told(200, 100, 50, time.Hour))
		b.end(older, told(200, 100, 0, 10*time.Minute))
		b.send(get)
	})
}
