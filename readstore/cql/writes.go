package cql

import (
	"context"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
)

// Ensure implements readstore.Store. It returns when all nodes agree on the schema.
func (s *Store) Ensure(ctx context.Context, tables ...*readstore.Table) error {
	if err := validate(tables); err != nil {
		return err
	}
	existing, err := s.existing(ctx)
	if err != nil {
		return s.errorOf(ctx, err)
	}
	var statements []string
	for _, t := range tables {
		if !existing[t.Name] {
			statements = append(statements, createTable(s.cfg.Keyspace, t))
		}
	}
	return s.errorOf(ctx, s.schema(ctx, statements))
}

// Drop implements readstore.Store.
func (s *Store) Drop(ctx context.Context, tables ...*readstore.Table) error {
	if err := validate(tables); err != nil {
		return err
	}
	var statements []string
	for _, t := range tables {
		statements = append(statements, dropTable(s.cfg.Keyspace, t))
	}
	return s.errorOf(ctx, s.schema(ctx, statements))
}

func validate(tables []*readstore.Table) error {
	for _, t := range tables {
		if err := t.Validate(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) existing(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	err := s.try(ctx, func(l *link) error {
		rows := l.data.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", s.cfg.Keyspace).WithContext(ctx).Iter()
		for name := ""; rows.Scan(&name); {
			names[name] = true
		}
		return rows.Close()
	})
	return names, err
}

// schema runs changes one after the other: CQL servers do not take kindly to many at once.
func (s *Store) schema(ctx context.Context, statements []string) error {
	l, err := s.connected()
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := l.admin.Query(statement).WithContext(ctx).Exec(); err != nil {
			return err
		}
	}
	// Also where nothing was missing: another copy may have made it just now.
	return l.admin.AwaitSchemaAgreement(ctx)
}

// Write implements readstore.Store.
func (s *Store) Write(ctx context.Context, phases ...[]readstore.Mutation) error {
	for _, phase := range phases {
		for i := range phase {
			if err := phase[i].Validate(); err != nil {
				return err
			}
		}
	}
	for _, phase := range phases {
		if err := s.writePhase(ctx, phase); err != nil {
			return s.errorOf(ctx, err)
		}
	}
	return nil
}

func (s *Store) writePhase(ctx context.Context, phase []readstore.Mutation) error {
	texts, batches := textsOf(phase), batchesOf(phase)
	return s.workers.each(ctx, len(batches), func(i int) error {
		return s.try(ctx, func(l *link) error { return s.send(ctx, l, batches[i], texts) })
	})
}

// kind of statement.
type kind struct {
	table  *readstore.Table
	remove bool
}

func kindOf(m *readstore.Mutation) kind { return kind{m.Table, m.Delete} }

func textsOf(phase []readstore.Mutation) map[kind]string {
	texts := map[kind]string{}
	for i := range phase {
		k := kindOf(&phase[i])
		if _, ok := texts[k]; ok {
			continue
		}
		if k.remove {
			texts[k] = remove(k.table)
		} else {
			texts[k] = upsert(k.table)
		}
	}
	return texts
}

func arguments(m *readstore.Mutation) []any {
	args := make([]any, 0, len(m.Row)+1)
	if m.Delete {
		args = append(args, m.Timestamp)
		return dialect.AppendValues(args, m.Row[:m.Table.KeyLen()])
	}
	return append(dialect.AppendValues(args, m.Row), m.Timestamp)
}
