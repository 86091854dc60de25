package store

// Submission is the evidence of a submission, as it was known when its intent
// was written. What is not known is empty.
type Submission struct {
	IMEI      string `json:"imei,omitempty"`
	ICCID     string `json:"iccid,omitempty"`
	SignalDBM int    `json:"signal_dbm,omitempty"` // received power
	Cell      *Cell  `json:"cell,omitempty"`
	PDUHMAC   string `json:"pdu_hmac,omitempty"` // keyed hash of the TPDU, hexadecimal
}

// Cell is where the modem was registered, in hexadecimal; see driver.Cell.
type Cell struct {
	Area  string `json:"area"`
	ID    string `json:"id"`
	Radio string `json:"radio,omitempty"`
}
