package main

import "time"

// results are all rows. In each list this SDK is the first.
type results struct {
	began     time.Time
	commit    string // of this SDK, then
	took      time.Duration
	rounds    int
	gets      []getResult
	tracing   []getResult // in pairs, without and with
	uploads   []uploadResult
	networks  []networkResult
	waiters   []waiter
	waits     [][]waitResult
	limits    [][]limitResult   // by case
	virtual   [][]virtualResult // by client
	conns     []int64           // by client
	deadlines []deadlineResult
	sizes     []sizeResult
	command   commandResult
}

func (r *results) measureGets(quick bool) (err error) {
	r.gets, err = measureAllocs(first(getters(), quick), getSlices*r.rounds)
	return err
}

func (r *results) measureTracing(bool) (err error) {
	r.tracing, err = measureAllocs(tracedGetters(), getSlices*r.rounds)
	return err
}

func (r *results) measureUploads(quick bool) (err error) {
	r.uploads, err = measureUploads(first(uploaders(), quick), r.rounds)
	return err
}

func (r *results) measureNetworks(bool) (err error) {
	r.networks, err = measureNetworks(r.rounds)
	return err
}

func (r *results) measureWaits(quick bool) error {
	r.waiters = first(waiters(), quick)
	for _, w := range r.waiters {
		got, err := measureWaits(w)
		if err != nil {
			return err
		}
		r.waits = append(r.waits, got)
	}
	return nil
}

func (r *results) measureLimits(quick bool) (err error) {
	r.limits, err = measureLimits(first(limitClients(), quick), r.rounds, quick)
	return err
}

func (r *results) measureVirtual(quick bool) error {
	for _, l := range first(limitClients(), quick) {
		var got []virtualResult
		if err := runChild(&got, nil, "-child", "virtual", "-child-name", l.name); err != nil {
			return err
		}
		r.virtual = append(r.virtual, got)
	}
	return nil
}

func (r *results) measureConnections(quick bool) error {
	for _, l := range first(limitClients(), quick) {
		var opened int64
		if err := runChild(&opened, nil, "-child", "connections", "-child-name", l.name); err != nil {
			return err
		}
		r.conns = append(r.conns, opened)
	}
	return nil
}

func (r *results) measureDeadlines(quick bool) error {
	for _, d := range first(refusals(), quick) {
		r.deadlines = append(r.deadlines, measureDeadline(d, r.rounds))
	}
	return nil
}

func (r *results) measureSizes(quick bool) error {
	list := minimals()
	if quick {
		list = list[:2]
	}
	for _, m := range list {
		size, err := measureSize(m)
		if err != nil {
			return err
		}
		r.sizes = append(r.sizes, size)
	}
	return nil
}

func (r *results) measureCommand(bool) (err error) {
	r.command, err = measureCommand()
	return err
}

// first is the whole list, or if alone only this SDK's, which comes first.
func first[T any](list []T, alone bool) []T {
	if alone {
		return list[:1]
	}
	return list
}

func (r *results) sizeOf(name string) float64 {
	for _, s := range r.sizes {
		if s.name == name {
			return s.kib()
		}
	}
	return 0
}

func (r *results) getOf(name string) *getResult {
	for i := range r.gets {
		if r.gets[i].name == name {
			return &r.gets[i]
		}
	}
	return nil
}
