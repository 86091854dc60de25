package main

import "time"

// The bodies of the API, as far as the commands read them.

type messageJSON struct {
	ID                string     `json:"id"`
	Rev               int64      `json:"rev"`
	Final             bool       `json:"final"`
	State             string     `json:"state"`
	To                string     `json:"to"`
	Text              *string    `json:"text"`
	Parts             int        `json:"parts"`
	Encoding          string     `json:"encoding"`
	Via               []string   `json:"via"`
	Priority          string     `json:"priority"`
	DeadlineAt        *time.Time `json:"deadline_at"`
	CreatedAt         time.Time  `json:"created_at"`
	SendAt            *time.Time `json:"send_at"`
	Ref               string     `json:"ref"`
	OnUnknown         string     `json:"on_unknown"`
	Report            bool       `json:"report"`
	PartsSent         int        `json:"parts_sent"`
	PossibleDuplicate bool       `json:"possible_duplicate"`
	Simulated         bool       `json:"simulated"`
	Held              bool       `json:"held"`
	Line              string     `json:"line"`
	Error             string     `json:"error"`
	PartDetails       []partJSON `json:"part_details"`
	History           []stepJSON `json:"history"`
}

type partJSON struct {
	Part        int        `json:"part"`
	State       string     `json:"state"`
	Line        string     `json:"line"`
	Attempts    int        `json:"attempts"`
	SubmittedAt *time.Time `json:"submitted_at"`
	SentAt      *time.Time `json:"sent_at"`
	ReportedAt  *time.Time `json:"reported_at"`
	Status      *int       `json:"status"`
	Reference   *int       `json:"reference"`
	SignalDBM   int        `json:"signal_dbm"`
	Error       string     `json:"error"`
}

type stepJSON struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
	Line  string    `json:"line"`
	Part  int       `json:"part"`
	Error string    `json:"error"`
	Note  string    `json:"note"`

	Submission *submissionJSON `json:"submission"`
}

type submissionJSON struct {
	IMEI      string    `json:"imei"`
	ICCID     string    `json:"iccid"`
	SignalDBM int       `json:"signal_dbm"`
	Cell      *cellJSON `json:"cell"`
	PDUHMAC   string    `json:"pdu_hmac"`
}

type cellJSON struct {
	Area  string `json:"area"`
	ID    string `json:"id"`
	Radio string `json:"radio"`
}

type otpJSON struct {
	ID           string     `json:"id"`
	Rev          int64      `json:"rev"`
	Final        bool       `json:"final"`
	State        string     `json:"state"`
	To           string     `json:"to"`
	ExpiresAt    time.Time  `json:"expires_at"`
	AttemptsLeft int        `json:"attempts_left"`
	AttemptsUsed int        `json:"attempts_used"`
	SendsLeft    int        `json:"sends_left"`
	ResendAt     *time.Time `json:"resend_at"`
	Delivery     struct {
		State string     `json:"state"`
		At    *time.Time `json:"at"`
		Error string     `json:"error"`
	} `json:"delivery"`
	MessageID string     `json:"message_id"`
	Purpose   string     `json:"purpose"`
	Ref       string     `json:"ref"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Reused    bool       `json:"reused"`
	Simulated bool       `json:"simulated"`
}

type verdictJSON struct {
	Valid        bool   `json:"valid"`
	State        string `json:"state"`
	AttemptsLeft int    `json:"attempts_left"`
}

type inboundJSON struct {
	ID         string     `json:"id"`
	From       string     `json:"from"`
	FromType   string     `json:"from_type"`
	To         string     `json:"to"`
	Line       string     `json:"line"`
	Text       string     `json:"text"`
	Encoding   string     `json:"encoding"`
	Parts      int        `json:"parts"`
	Incomplete bool       `json:"incomplete"`
	Amends     string     `json:"amends"`
	SMSCAt     *time.Time `json:"smsc_at"`
	ReceivedAt time.Time  `json:"received_at"`
	Raw        []string   `json:"raw"`
	Simulated  bool       `json:"simulated"`
}

type queueJSON struct {
	OTP      int        `json:"otp"`
	High     int        `json:"high"`
	Normal   int        `json:"normal"`
	Low      int        `json:"low"`
	Held     int        `json:"held"`
	OldestAt *time.Time `json:"oldest_at"`
}

type statusJSON struct {
	Version   string     `json:"version"`
	Site      string     `json:"site"`
	StartedAt time.Time  `json:"started_at"`
	Healthy   bool       `json:"healthy"`
	Problems  []string   `json:"problems"`
	Clock     string     `json:"clock"`
	Lines     []lineJSON `json:"lines"`
	Queue     queueJSON  `json:"queue"`
	NATS      struct {
		Connected bool   `json:"connected"`
		Embedded  bool   `json:"embedded"`
		Addr      string `json:"addr"`
		Waiting   int    `json:"waiting"`
		Error     string `json:"error"`
	} `json:"nats"`
	Store struct {
		Bytes     int64  `json:"bytes"`
		FreeBytes int64  `json:"free_bytes"`
		Writable  bool   `json:"writable"`
		Error     string `json:"error"`
	} `json:"store"`
}

type lineJSON struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`
	SinceAt   *time.Time `json:"since_at"`
	Detail    string     `json:"detail"`
	Simulated bool       `json:"simulated"`
	Labels    []string   `json:"labels"`
	Identity  struct {
		Number       string     `json:"number"`
		IMEI         string     `json:"imei"`
		ICCID        string     `json:"iccid"`
		SMSC         string     `json:"smsc"`
		Manufacturer string     `json:"manufacturer"`
		Model        string     `json:"model"`
		Revision     string     `json:"revision"`
		ReadAt       *time.Time `json:"read_at"`
	} `json:"identity"`
	Calls []struct {
		At   time.Time `json:"at"`
		From string    `json:"from"`
	} `json:"calls"`
	Port         string `json:"port"`
	LastError    string `json:"last_error"`
	Registration string `json:"registration"`
	Operator     string `json:"operator"`
	Balance      *struct {
		Amount float64 `json:"amount"`
		Low    bool    `json:"low"`
		Error  string  `json:"error"`
	} `json:"balance"`
	InboundBy string    `json:"inbound_by"`
	SignalDBM int       `json:"signal_dbm"`
	Cell      *cellJSON `json:"cell"`
	Storage   []struct {
		Memory string `json:"memory"`
		Used   int    `json:"used"`
		Total  int    `json:"total"`
	} `json:"storage"`
	Counters struct {
		Sent     uint64 `json:"sent"`
		Failed   uint64 `json:"failed"`
		Unknown  uint64 `json:"unknown"`
		Received uint64 `json:"received"`
		Restarts uint64 `json:"restarts"`

		PartsToday     int `json:"parts_today"`
		PartsThisMonth int `json:"parts_this_month"`
		CostThisMonth  int `json:"cost_this_month"`
	} `json:"counters"`
	Limits struct {
		PerMinute    int `json:"per_minute"`
		PerDay       int `json:"per_day"`
		PerMonth     int `json:"per_month"`
		CostPerMonth int `json:"cost_per_month"`
	} `json:"limits"`
	Recovery struct {
		Cause     string `json:"cause"`
		Incidents []struct {
			At     time.Time `json:"at"`
			Cause  string    `json:"cause"`
			Step   string    `json:"step"`
			Result string    `json:"result"`
			Detail string    `json:"detail"`
		} `json:"incidents"`
	} `json:"recovery"`
}

type keyJSON struct {
	Name      string     `json:"name"`
	Secret    string     `json:"secret"`
	Scopes    []string   `json:"scopes"`
	To        []string   `json:"to"`
	PerMinute int        `json:"per_minute"`
	PerDay    int        `json:"per_day"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	RevivedAt *time.Time `json:"revived_at"`
}
