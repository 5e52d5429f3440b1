package sqlite

import (
	"strings"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
)

const alive = `"@dead" = 0`

func createTable(t *readstore.Table) string {
	var b strings.Builder
	b.WriteString(`CREATE TABLE IF NOT EXISTS "` + t.Name + `" (`)
	for _, c := range t.Columns() {
		b.WriteString(`"` + c.Name + `" ` + typeOf(c.Type) + ` NOT NULL, `)
	}
	b.WriteString(`"@ts" INTEGER NOT NULL, "@dead" INTEGER NOT NULL, PRIMARY KEY (`)
	dialect.List(&b, ", ", t.Partition)
	b.WriteString(dialect.OrderBy(", ", t, false) + `)) STRICT, WITHOUT ROWID`)
	return b.String()
}

func typeOf(t readstore.Type) string {
	switch t {
	case readstore.Text:
		return "TEXT"
	case readstore.Bytes:
		return "BLOB"
	default: // Int, Time in milliseconds, Bool as 0 and 1
		return "INTEGER"
	}
}

func dropTable(t *readstore.Table) string { return `DROP TABLE IF EXISTS "` + t.Name + `"` }

// upsert takes all columns and a timestamp. A row of the same timestamp stays: it
// is the same row, or a delete, which wins.
func upsert(t *readstore.Table) string {
	return insert(t, "0", `excluded."@ts" > "`+t.Name+`"."@ts"`)
}

// tombstone takes the key columns, empty values and a timestamp. It also stands
// where there was no row, for a late upsert to meet.
func tombstone(t *readstore.Table) string {
	return insert(t, "1", `excluded."@ts" >= "`+t.Name+`"."@ts"`)
}

func insert(t *readstore.Table, dead, wins string) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO "` + t.Name + `" VALUES (` + strings.Repeat("?, ", t.KeyLen()+len(t.Values)+1) + dead + `) ON CONFLICT DO UPDATE SET `)
	for _, c := range t.Values {
		b.WriteString(`"` + c.Name + `" = excluded."` + c.Name + `", `)
	}
	b.WriteString(`"@ts" = excluded."@ts", "@dead" = excluded."@dead" WHERE ` + wins)
	return b.String()
}
