package grantwell_test

import (
	"context"

	"github.com/grantwell/grantwell/storage"
)

// faultyStore asks fail before each call, by the call's name, and answers with what it returns.
type faultyStore struct {
	storage.Records
	fail func(call string) error
}

func (f *faultyStore) ask(call string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(call)
}

func (f *faultyStore) Insert(ctx context.Context, recs ...storage.Record) error {
	if err := f.ask("Insert"); err != nil {
		return err
	}
	return f.Records.Insert(ctx, recs...)
}

func (f *faultyStore) Get(ctx context.Context, kind storage.Kind, key string) (storage.Record, error) {
	if err := f.ask("Get"); err != nil {
		return storage.Record{}, err
	}
	return f.Records.Get(ctx, kind, key)
}

func (f *faultyStore) Advance(ctx context.Context, from storage.State, next storage.Record, inserts ...storage.Record) error {
	if err := f.ask("Advance"); err != nil {
		return err
	}
	return f.Records.Advance(ctx, from, next, inserts...)
}

func (f *faultyStore) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if err := f.ask("Revoke"); err != nil {
		return err
	}
	return f.Records.Revoke(ctx, grantID, kinds...)
}
