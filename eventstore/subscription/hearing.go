package subscription

// mutedAfter is how many beats long the watch may show nothing new of what this
// member announces before it is taken for dead.
const mutedAfter = 4

// hearing judges by the echoes of this member's announcements whether its watch is
// alive. An echo is news when it is another one than before: it may be late, or come
// before the broker has even answered, and its revision is lower in a bucket that was
// made anew. It counts beats, so a process that was stopped for a while does not blame
// its watch.
type hearing struct {
	echo uint64 // revision of the newest announcement that came back
	beat uint64 // when it was news
	away bool   // the broker did not take what was announced last
}

// mute says whether the watch is to begin anew: for too long it has shown nothing, or
// the broker was away, since it may have ended then without a word.
func (h *hearing) mute(echo, beat uint64) bool {
	news := echo != h.echo
	mute := h.away || !news && beat-h.beat > mutedAfter
	if news || mute {
		*h = hearing{echo: echo, beat: beat}
	}
	return mute
}
