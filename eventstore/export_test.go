package eventstore

// SyncsAlways is what the server itself goes by.
func (s *Server) SyncsAlways() bool { return s.ns.JetStreamConfig().SyncAlways }
