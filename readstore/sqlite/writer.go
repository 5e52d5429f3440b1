package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"

	"modernc.org/sqlite"
)

// groupOps is where a group of writes stops taking in further ones: what is
// waited for is the sync, and it costs the same for one row and for thousands.
const groupOps = 4096

// writer owns the only connection that writes, and speaks to the driver itself:
// database/sql would cost a fifth of the rows per second.
type writer struct {
	conn     driver.Conn
	prepared map[string]driver.StmtExecContext

	jobs    chan *job
	closing chan struct{}
	once    sync.Once
	done    chan struct{} // closed when run has returned
	err     error         // of closing; read it after done
}

// job is one call's work within a transaction.
type job struct {
	ctx    context.Context
	size   int // rows, roughly
	work   func(*writer) error
	answer chan error
}

func openWriter(path string) (*writer, error) {
	connector, err := sqlite.NewConnector(dsn(path, "mode=rwc"))
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, prepared: map[string]driver.StmtExecContext{},
		jobs: make(chan *job), closing: make(chan struct{}), done: make(chan struct{}),
	}
	// The transaction proves that the file can be read and is held by nobody else.
	// A checkpoint syncs both files, so it comes at 16 MiB of log, not at 4.
	for _, statement := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 4000",
		"PRAGMA cache_size = -65536", "BEGIN IMMEDIATE", "SELECT count(*) FROM sqlite_schema", "COMMIT",
	} {
		if err := w.exec(statement); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	go w.run()
	return w, nil
}

// submit runs work within a transaction and returns once that is durable. When ctx
// ends first the work may still be done.
func (w *writer) submit(ctx context.Context, size int, work func(*writer) error) error {
	j := &job{ctx: ctx, size: size, work: work, answer: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case err := <-j.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case j := <-w.jobs:
			w.commit(w.gather(j))
		case <-w.closing:
			w.forget()
			w.err = w.conn.Close()
			return
		}
	}
}

// close ends run after the transaction under way. It may be called again.
func (w *writer) close() error {
	w.once.Do(func() { close(w.closing) })
	<-w.done
	return w.err
}

// gather takes in what else is waiting, so that all of it shares one sync.
func (w *writer) gather(first *job) []*job {
	group, size := []*job{first}, first.size
	for size < groupOps {
		select {
		case j := <-w.jobs:
			group, size = append(group, j), size+j.size
		default:
			return group
		}
	}
	return group
}

// commit does a group's jobs in one transaction. A job that fails is answered
// and left out, and the others are done again without it.
func (w *writer) commit(group []*job) {
	for len(group) > 0 {
		failed, err := w.transaction(group)
		if failed < 0 {
			for _, j := range group {
				j.answer <- err
			}
			return
		}
		group[failed].answer <- err
		group = slices.Delete(group, failed, failed+1)
	}
}

// transaction says which job failed; -1 where none did, though the transaction
// itself may have.
func (w *writer) transaction(group []*job) (failed int, err error) {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return -1, err
	}
	for i, j := range group {
		if err = j.ctx.Err(); err == nil {
			err = j.work(w)
		}
		if err != nil {
			w.rollback()
			return i, err
		}
	}
	if err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return -1, err
	}
	return -1, nil
}

// rollback fails where SQLite has rolled back itself, as it does when the disk is full.
func (w *writer) rollback() { _ = w.exec("ROLLBACK") }

func (w *writer) apply(ops []op) error {
	for i := range ops {
		s, err := w.prepare(ops[i].statement)
		if err != nil {
			return err
		}
		if _, err := s.ExecContext(context.Background(), ops[i].args); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) schema(statements []string) error {
	w.forget()
	for _, s := range statements {
		if err := w.exec(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) prepare(statement string) (driver.StmtExecContext, error) {
	if s, ok := w.prepared[statement]; ok {
		return s, nil
	}
	s, err := w.conn.Prepare(statement)
	if err != nil {
		return nil, err
	}
	w.prepared[statement] = s.(driver.StmtExecContext)
	return w.prepared[statement], nil
}

// forget closes the prepared statements, those of dropped tables among them.
func (w *writer) forget() {
	for _, s := range w.prepared {
		_ = s.(driver.Stmt).Close()
	}
	clear(w.prepared)
}

func (w *writer) exec(statement string) error {
	_, err := w.conn.(driver.ExecerContext).ExecContext(context.Background(), statement, nil)
	return err
}
