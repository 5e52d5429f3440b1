package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestETagNamesTheRevisionFromTheSecondOn(t *testing.T) {
	require.Equal(t, `"7"`, ETag(7, 1))
	require.Equal(t, `"7.2"`, ETag(7, 2))
}

func TestParseETags(t *testing.T) {
	for _, c := range []struct {
		header   string
		matches  string // a tag that If-None-Match finds
		versions []uint64
		any      bool
	}{
		{header: `*`, matches: `"1"`, any: true},
		{header: ` * `, matches: `"1"`, any: true},
		{header: `"7"`, matches: `"7"`, versions: []uint64{7}},
		{header: `"7.2"`, matches: `"7.2"`, versions: []uint64{7}},
		{header: `W/"7"`, matches: `"7"`},
		{header: `"6","7"`, matches: `"7"`, versions: []uint64{6, 7}},
		{header: "\"6\"\t , ,W/\"7\" , \"8.3\"", matches: `"7"`, versions: []uint64{6, 8}},
		{header: `"a,b"`, matches: `"a,b"`},
		{header: `""`, matches: `""`},
		{header: `"99999999999999999999"`, matches: `"99999999999999999999"`},
	} {
		tags, err := ParseETags(c.header)
		require.NoError(t, err, c.header)
		require.True(t, tags.Match(c.matches), c.header)
		require.Equal(t, c.any, tags.Match(`"none of them"`), c.header)
		versions, anyVersion := tags.Versions()
		require.Equal(t, c.versions, versions, c.header)
		require.Equal(t, c.any, anyVersion, c.header)
	}
}

func TestParseETagsRefusesWhatIsNone(t *testing.T) {
	for _, header := range []string{``, `7`, `"7`, `7"`, `w/"7"`, `W/7`, `"7" "8"`, `"7";"8"`, `*, "7"`, `"7", *`, `,`, `"7"x`, "\"7\x01\"", `"a b"`} {
		_, err := ParseETags(header)
		var malformed *MalformedError
		require.ErrorAs(t, err, &malformed, header)
	}
}

func FuzzETags(f *testing.F) {
	f.Add(`"7", W/"8.2"`)
	f.Add(`*`)
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := ParseETags(header)
		if err != nil {
			return
		}
		versions, _ := tags.Versions()
		require.LessOrEqual(t, len(versions), strings.Count(header, `"`)/2)
	})
}
