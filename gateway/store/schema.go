package store

// schemaV1 is the first format. Times are unix microseconds UTC, 0 is the
// zero time; truth values are 0 and 1; lists are joined by commas. {blob},
// {key} and {keyed} are the dialect's: a byte string, a number that is the key
// of its table, and a table that is stored in the order of its primary key.
//
// Partial indices hold what is looked for and nothing else: the queue, what
// waits for a moment, what can be erased. They stay small however many final
// messages there are. Numbers come in no order, so each entry in an index of
// theirs is a page read and written anywhere in it: messages get theirs when
// they are final, not when somebody waits for the answer.
var schemaV1 = []string{
	`CREATE TABLE messages (
		id TEXT NOT NULL PRIMARY KEY,
		api_key TEXT NOT NULL,
		otp_id TEXT NOT NULL,
		recipient TEXT NOT NULL,
		body {blob},
		encoding TEXT NOT NULL,
		priority BIGINT NOT NULL,
		route TEXT NOT NULL,
		via TEXT NOT NULL,
		state TEXT NOT NULL,
		final BIGINT NOT NULL,
		rev BIGINT NOT NULL,
		on_unknown TEXT NOT NULL,
		report BIGINT NOT NULL,
		ref TEXT NOT NULL,
		metadata TEXT NOT NULL,
		reference BIGINT NOT NULL,
		wide BIGINT NOT NULL,
		created_at BIGINT NOT NULL,
		send_at BIGINT NOT NULL,
		deadline_at BIGINT NOT NULL,
		not_before BIGINT NOT NULL,
		due_at BIGINT NOT NULL,
		ended_at BIGINT NOT NULL,
		text_until BIGINT NOT NULL,
		attempts BIGINT NOT NULL,
		resends BIGINT NOT NULL,
		possible_duplicate BIGINT NOT NULL,
		simulated BIGINT NOT NULL,
		held BIGINT NOT NULL,
		line TEXT NOT NULL,
		iccid TEXT NOT NULL,
		error TEXT NOT NULL
	)`,
	`CREATE INDEX messages_queue ON messages (held, route, priority, not_before, id) WHERE state='queued'`,
	`CREATE INDEX messages_deadline ON messages (held, deadline_at) WHERE state='queued'`,
	`CREATE INDEX messages_due ON messages (state, due_at, route) WHERE final=0 AND state<>'queued'`,
	`CREATE INDEX messages_final ON messages (state, id) WHERE final=1`,
	`CREATE INDEX messages_ended ON messages (ended_at) WHERE final=1`,
	`CREATE INDEX messages_erasable ON messages (text_until) WHERE text_until>0 AND body IS NOT NULL`,
	`CREATE INDEX messages_key ON messages (api_key, id)`,
	`CREATE INDEX messages_recipient ON messages (recipient, id) WHERE final=1`,

	`CREATE TABLE parts (
		message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
		idx BIGINT NOT NULL,
		state TEXT NOT NULL,
		line TEXT NOT NULL,
		iccid TEXT NOT NULL,
		reference BIGINT NOT NULL,
		attempts BIGINT NOT NULL,
		submitted_at BIGINT NOT NULL,
		sent_at BIGINT NOT NULL,
		reported_at BIGINT NOT NULL,
		status BIGINT NOT NULL,
		error TEXT NOT NULL,
		PRIMARY KEY (message_id, idx)
	){keyed}`,
	`CREATE INDEX parts_sending ON parts (iccid, submitted_at) WHERE state='sending'`,
	`CREATE INDEX parts_unknown ON parts (iccid, reference, submitted_at) WHERE state='unknown'`,
	`CREATE INDEX parts_sent ON parts (iccid, reference, submitted_at) WHERE state='sent'`,

	`CREATE TABLE history (
		message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
		n BIGINT NOT NULL,
		state TEXT NOT NULL,
		at BIGINT NOT NULL,
		line TEXT NOT NULL,
		part BIGINT NOT NULL,
		error TEXT NOT NULL,
		note TEXT NOT NULL,
		PRIMARY KEY (message_id, n)
	){keyed}`,

	`CREATE TABLE unanswered (
		iccid TEXT NOT NULL,
		submitted_at BIGINT NOT NULL,
		message_id TEXT NOT NULL,
		part BIGINT NOT NULL,
		PRIMARY KEY (iccid, submitted_at, message_id, part)
	){keyed}`,
	`CREATE INDEX unanswered_submitted ON unanswered (submitted_at)`,

	`CREATE TABLE concat_refs (
		destination {blob} NOT NULL,
		wide BIGINT NOT NULL,
		last BIGINT NOT NULL,
		PRIMARY KEY (destination, wide)
	){keyed}`,

	`CREATE TABLE reports (
		id {key} NOT NULL PRIMARY KEY,
		line TEXT NOT NULL,
		iccid TEXT NOT NULL,
		mr BIGINT NOT NULL,
		recipient {blob},
		status BIGINT NOT NULL,
		sent_at BIGINT NOT NULL,
		received_at BIGINT NOT NULL
	)`,
	`CREATE INDEX reports_mr ON reports (iccid, mr, id)`,
	`CREATE INDEX reports_received ON reports (received_at)`,

	`CREATE TABLE otps (
		id TEXT NOT NULL PRIMARY KEY,
		api_key TEXT NOT NULL,
		purpose TEXT NOT NULL,
		recipient TEXT NOT NULL,
		state TEXT NOT NULL,
		rev BIGINT NOT NULL,
		mac {blob},
		attempts_used BIGINT NOT NULL,
		max_attempts BIGINT NOT NULL,
		sends_used BIGINT NOT NULL,
		max_sends BIGINT NOT NULL,
		length BIGINT NOT NULL,
		ttl BIGINT NOT NULL,
		created_at BIGINT NOT NULL,
		expires_at BIGINT NOT NULL,
		resend_at BIGINT NOT NULL,
		ended_at BIGINT NOT NULL,
		message_id TEXT NOT NULL,
		delivery_state TEXT NOT NULL,
		delivery_at BIGINT NOT NULL,
		delivery_error TEXT NOT NULL,
		ref TEXT NOT NULL,
		metadata TEXT NOT NULL,
		simulated BIGINT NOT NULL
	)`,
	`CREATE UNIQUE INDEX otps_pending ON otps (recipient, api_key, purpose) WHERE state='pending'`,
	`CREATE INDEX otps_expiry ON otps (expires_at) WHERE state='pending'`,
	`CREATE INDEX otps_ended ON otps (ended_at) WHERE state<>'pending'`,
	`CREATE INDEX otps_recipient ON otps (recipient, id) WHERE state<>'pending'`,

	`CREATE TABLE counters (
		time_window BIGINT NOT NULL,
		kind TEXT NOT NULL,
		subject TEXT NOT NULL,
		n BIGINT NOT NULL,
		PRIMARY KEY (time_window, kind, subject)
	){keyed}`,
	`CREATE TABLE moments (
		kind TEXT NOT NULL,
		subject TEXT NOT NULL,
		at BIGINT NOT NULL,
		n BIGINT NOT NULL,
		PRIMARY KEY (kind, subject, at)
	){keyed}`,
	`CREATE INDEX moments_at ON moments (at)`,
	`CREATE TABLE failures (
		subject TEXT NOT NULL PRIMARY KEY,
		n BIGINT NOT NULL,
		wait_until BIGINT NOT NULL,
		locked BIGINT NOT NULL
	){keyed}`,

	`CREATE TABLE idempotency (
		api_key TEXT NOT NULL,
		path TEXT NOT NULL,
		id TEXT NOT NULL,
		fingerprint {blob},
		status BIGINT NOT NULL,
		resource TEXT NOT NULL,
		at BIGINT NOT NULL,
		PRIMARY KEY (api_key, path, id)
	){keyed}`,
	`CREATE INDEX idempotency_at ON idempotency (at)`,

	`CREATE TABLE api_keys (
		name TEXT NOT NULL PRIMARY KEY,
		hash {blob} NOT NULL,
		scopes TEXT NOT NULL,
		prefixes TEXT NOT NULL,
		per_minute BIGINT NOT NULL,
		per_day BIGINT NOT NULL,
		inbound_from BIGINT NOT NULL,
		status_from BIGINT NOT NULL,
		generation BIGINT NOT NULL,
		created_at BIGINT NOT NULL,
		expires_at BIGINT NOT NULL,
		revoked_at BIGINT NOT NULL,
		revived_at BIGINT NOT NULL
	)`,
	`CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash)`,

	`CREATE TABLE pdus (
		fingerprint {blob} NOT NULL PRIMARY KEY,
		at BIGINT NOT NULL
	){keyed}`,
	`CREATE INDEX pdus_at ON pdus (at)`,
	`CREATE TABLE inbound (
		seq {key} NOT NULL PRIMARY KEY,
		id TEXT NOT NULL,
		sender TEXT NOT NULL,
		sender_type TEXT NOT NULL,
		recipient TEXT NOT NULL,
		line TEXT NOT NULL,
		iccid TEXT NOT NULL,
		body {blob},
		encoding TEXT NOT NULL,
		parts BIGINT NOT NULL,
		incomplete BIGINT NOT NULL,
		amends TEXT NOT NULL,
		smsc_at BIGINT NOT NULL,
		received_at BIGINT NOT NULL,
		raw {blob},
		simulated BIGINT NOT NULL
	)`,
	`CREATE UNIQUE INDEX inbound_id ON inbound (id)`,
	`CREATE INDEX inbound_sender ON inbound (sender, seq)`,
	`CREATE INDEX inbound_line ON inbound (line, seq)`,
	`CREATE INDEX inbound_received ON inbound (received_at)`,
	`CREATE TABLE sets (
		id {key} NOT NULL PRIMARY KEY,
		iccid TEXT NOT NULL,
		sender TEXT NOT NULL,
		reference BIGINT NOT NULL,
		wide BIGINT NOT NULL,
		total BIGINT NOT NULL,
		line TEXT NOT NULL,
		recipient TEXT NOT NULL,
		sender_type TEXT NOT NULL,
		first_at BIGINT NOT NULL,
		due_at BIGINT NOT NULL,
		inbound_id TEXT NOT NULL,
		amend_id TEXT NOT NULL,
		late_at BIGINT NOT NULL,
		done BIGINT NOT NULL,
		simulated BIGINT NOT NULL
	)`,
	`CREATE INDEX sets_key ON sets (sender, iccid, reference, wide, total, id)`,
	`CREATE INDEX sets_due ON sets (due_at) WHERE due_at>0`,
	`CREATE INDEX sets_done ON sets (first_at) WHERE done=1`,
	`CREATE TABLE set_parts (
		set_id BIGINT NOT NULL REFERENCES sets (id) ON DELETE CASCADE,
		seq BIGINT NOT NULL,
		body {blob},
		encoding TEXT NOT NULL,
		raw {blob},
		smsc_at BIGINT NOT NULL,
		at BIGINT NOT NULL,
		PRIMARY KEY (set_id, seq)
	){keyed}`,

	`CREATE TABLE events (
		stream TEXT NOT NULL,
		seq BIGINT NOT NULL,
		subject TEXT NOT NULL,
		msg_id TEXT NOT NULL,
		type TEXT NOT NULL,
		source TEXT NOT NULL,
		about TEXT NOT NULL,
		payload {blob},
		at BIGINT NOT NULL,
		PRIMARY KEY (stream, seq)
	){keyed}`,
	`CREATE INDEX events_about ON events (about) WHERE about<>''`,
	`CREATE TABLE event_marks (
		stream TEXT NOT NULL PRIMARY KEY,
		up_to BIGINT NOT NULL,
		stream_seq BIGINT NOT NULL
	){keyed}`,

	`CREATE TABLE lines (
		name TEXT NOT NULL PRIMARY KEY,
		imei TEXT NOT NULL,
		iccid TEXT NOT NULL,
		number TEXT NOT NULL,
		paused BIGINT NOT NULL,
		simulated BIGINT NOT NULL,
		seen_at BIGINT NOT NULL
	)`,
	`CREATE TABLE sims (
		iccid TEXT NOT NULL PRIMARY KEY,
		imsi TEXT NOT NULL,
		simulated BIGINT NOT NULL,
		seen_at BIGINT NOT NULL
	)`,
	`CREATE TABLE settings (
		name TEXT NOT NULL PRIMARY KEY,
		value TEXT NOT NULL
	)`,

	// sequences count what must never be given twice, also after the last
	// row was deleted. A row is locked by its taker until the commit, so the
	// order of numbers is the order of commits.
	`CREATE TABLE sequences (
		name TEXT NOT NULL PRIMARY KEY,
		last BIGINT NOT NULL
	)`,
}

// schemaV2 keeps the signal at which a part was sent, dBm, 0 for not known.
var schemaV2 = []string{`ALTER TABLE parts ADD COLUMN signal BIGINT NOT NULL DEFAULT 0`}

// schemaV3 keeps the evidence of each submission, a JSON object, empty for an
// entry that is about none.
var schemaV3 = []string{`ALTER TABLE history ADD COLUMN submission TEXT NOT NULL DEFAULT ''`}
