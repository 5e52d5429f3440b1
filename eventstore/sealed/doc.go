// Package sealed encrypts single fields of events, snapshots and rows with a key
// of the one they belong to, their owner. Erasing the owner erases that key, and
// with it all that was ever sealed for it, in every log, table and backup.
//
// Any domain may seal; commands, folds and queries call it. It imports eventstore.
//
// What erasing reaches: the key's record in the stream's file is overwritten with
// random bytes, on every replica, and no copy of the program uses a key from its
// memory more than a second longer. What it does not reach: backups of KEYS made
// earlier; with several replicas the broker's own raft log on each server
// (jetstream/$SYS/_js_), until the broker compacts it; blocks that the file system
// or the disk has freed but not reused; and, where the server encrypts its files,
// the encrypted record, which the server does not overwrite.
package sealed
