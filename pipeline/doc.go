// Package pipeline takes recordings of visits to their notes, across crashes and on many machines.
//
// A visit is known by an opaque key. The application gives the visit's content when it is asked for it ([Source]) and
// takes the result ([Config].Deliver). The pipeline keeps the state of each visit in a database: SQLite in a file for a
// clinic, PostgreSQL for a fleet.
//
//	p, err := pipeline.Open(ctx, "sqlite:visits.db", pipeline.Config{Client: client, Source: source, Deliver: deliver})
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	if _, err := p.Add(ctx, "visit-4711"); err != nil {
//		return err
//	}
//	return p.Run(ctx, time.Minute) // until ctx ends
package pipeline
