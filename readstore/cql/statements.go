package cql

import (
	"strings"

	"github.com/admitone/admitone/readstore"
	"github.com/admitone/admitone/readstore/internal/dialect"
)

func createTable(keyspace string, t *readstore.Table) string {
	var b strings.Builder
	b.WriteString(`CREATE TABLE IF NOT EXISTS "` + keyspace + `"."` + t.Name + `" (`)
	for _, c := range t.Columns() {
		b.WriteString(`"` + c.Name + `" ` + typeOf(c.Type) + `, `)
	}
	b.WriteString("PRIMARY KEY ((")
	dialect.List(&b, ", ", t.Partition)
	b.WriteString(")")
	for _, c := range t.Clustering {
		b.WriteString(`, "` + c.Name + `"`)
	}
	b.WriteString("))")
	if len(t.Clustering) > 0 {
		b.WriteString(dialect.OrderBy(" WITH CLUSTERING ORDER BY (", t, false) + ")")
	}
	return b.String()
}

func typeOf(t readstore.Type) string {
	return [...]string{readstore.Text: "text", readstore.Int: "bigint", readstore.Time: "timestamp",
		readstore.Bool: "boolean", readstore.Bytes: "blob"}[t]
}

func dropTable(keyspace string, t *readstore.Table) string {
	return `DROP TABLE IF EXISTS "` + keyspace + `"."` + t.Name + `"`
}

// upsert takes all columns and a timestamp.
func upsert(t *readstore.Table) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO "` + t.Name + `" (`)
	columns := t.Columns()
	dialect.List(&b, ", ", columns)
	b.WriteString(") VALUES (" + strings.Repeat("?, ", len(columns)-1) + "?) USING TIMESTAMP ?")
	return b.String()
}

// remove takes a timestamp and the key columns.
func remove(t *readstore.Table) string {
	return `DELETE FROM "` + t.Name + `" USING TIMESTAMP ? WHERE ` + dialect.Equal(t.Partition, t.Clustering)
}
