package bot

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// intent is what a user wants.
type intent string

const (
	wantsPerson   intent = "a person"
	wantsBeyond   intent = "what only a person can do"
	wantsReason   intent = "why an order was refused"
	wantsKept     intent = "an order kept"
	wantsExpiry   intent = "when an order expires"
	wantsCancel   intent = "an order cancelled"
	wantsOffers   intent = "what is for sale"
	wantsStatus   intent = "where an order is"
	wantsNoPerson intent = "no person"
	asksWhoItIs   intent = "whether it is a bot"
	wantsToSell   intent = "to sell a ticket"
	saysYes       intent = "yes, and was asked nothing"
	wantsHelp     intent = "what the Bot can do"
	saysThanks    intent = "thanks"
	saysHello     intent = "hello"
	notUnderstood intent = "?"
)

// rule finds an intent in a text of lower-case words.
type rule struct {
	intent intent
	// stems are parts of words of which each text that it matches has one. They are
	// looked for first, since that takes a hundredth of the time.
	stems []string
	says  *regexp.Regexp
	// aside is what only sounds like it, and is passed over; may be nil.
	aside *regexp.Regexp
}

func when(i intent, stems string, patterns ...string) rule {
	return rule{intent: i, stems: strings.Fields(stems), says: oneOf(patterns)}
}

// but passes over what only sounds like a rule's intent.
func (r rule) but(patterns ...string) rule {
	r.aside = oneOf(patterns)
	return r
}

func oneOf(patterns []string) *regexp.Regexp {
	return regexp.MustCompile(`\b(?:` + strings.Join(patterns, "|") + `)`)
}

func (r rule) matches(text string) bool {
	if !slices.ContainsFunc(r.stems, func(stem string) bool { return strings.Contains(text, stem) }) || !r.says.MatchString(text) {
		return false
	}
	return r.aside == nil || r.says.MatchString(r.aside.ReplaceAllString(text, " "))
}

// Parts of the patterns below.
const (
	person  = `(?:person|human|agent|representative|operator|staff|employee|manager|supervisor|advisor|colleague|someone (?:real|who|from))\b`
	thing   = `(?:orders?|tickets?|purchase|booking|reservation|it|that|this)\b`
	people  = `(?:` + person + `|(?:someone|somebody|anyone|anybody|people|support|team)\b)`
	dont    = `(?:do not|don't|dont|please not)`
	passOn  = `(?:hand|pass|transfer|escalate|connect|forward|refer|put)`
	another = `(?: (?:me|us|this|it|my \w+))?(?: (?:over|on|off|through))?(?: (?:to|with))?(?: (?:an?|any|the|another|some|your))?(?: (?:real|actual|live))?`
	// noPerson is that nobody else is wanted.
	noPerson = `(?:` + dont + ` ` + passOn + `(?:` + another + ` ` + people + `|(?: (?:me|us|this|it))?(?: (?:over|on|off))?\b)` +
		`|(?:(?:` + dont + `|did not|didn't|never|wouldn't|would not) (?:really |even )?(?:want|need|like|wish|care|ask(?:ed)?)(?: for| to)?|` + dont + `|(?:rather|prefer) not(?: to)?|no need (?:to|for))` +
		`(?: (?:talk|speak|chat|write|call|involve|` + passOn + `))?` + another + ` ` + people +
		`|(?:(?:` + dont + `|never) (?:really |even )?(?:want|need|like|wish) (?:you )?to|no need to) (?:` + passOn + `|be (?:handed|passed|transferred|escalated|connected|forwarded|referred|put))(?: me| us| this| it)?(?: over| on| off| through)?\b` +
		`|stop (?:hand|pass|transferr|escalat|connect|forward)ing(?: me| this)?(?: over| on)?\b|^(?:please )?no (?:more )?` + people + `(?: please| thanks| thank you)?$)`
	bots = `(?:an? |the |some )?(?:(?:real|actual|live|human) )*(?:chat ?bot|bot|robot|human|person|machine|computer|program|ai|automated|someone|somebody)(?: being)?\b`
	// aBot is a question of who it is.
	aBot = `(?:(?:are you|is (?:this|that|it)) (?:\w+ )?` + bots + `|(?:am i|are we) (?:\w+ )?(?:talking|speaking|chatting|writing) (?:to|with) ` + bots +
		`|(?:you are|you're) (?:\w+ )?` + bots + ` (?:right|correct|aren't you|are you not))(?: or (?:to |with )?` + bots + `)?`
	sell    = `(?:re-?)?sell(?:ing)?\b`
	refused = `(?:refus|reject|declin|den(?:y|ied)\b|turned down|not accepted|unsuccessful)`
	ended   = `(?:` + refused + `|cancel|fail|expire|(?:not|n't) (?:\w+ ){0,3}(?:go through|work|get|happen|accept)|gone)`
)

// rules are tried in this order: what needs a person first, what undoes something
// before what does it, and what is only polite last.
var rules = []rule{
	when(wantsPerson, "person human agent represent operator staff employee manager supervisor advisor colleague some people support team service bot robot machine computer",
		`(?:talk|speak|chat|write|connect|transfer|pass|put|get|hand|escalate|reach|contact|want|need|give|is there|ask|call|see) .*`+person,
		`(?:talk|speak|chat|connect|transfer|escalate|reach|contact)\b.* (?:someone|somebody|people|support|team)\b`,
		`(?:real|actual|live) `+person, `(?:no|not|\w+n't|stop) .*(?:bot|bots|robot|machine|computer)\b`,
		`(?:human|agent|operator|representative)(?: please)?$`, `customer (?:service|support)\b`, `support team\b`).but(noPerson, aBot),
	when(asksWhoItIs, "bot human person machine computer program ai automated some who", aBot, `who (?:are you|am i (?:talking|speaking|chatting|writing) (?:to|with))\b`),
	when(wantsBeyond, "refund money charge fraud scam stolen hack complain lawyer invoice receipt password mail account name address data",
		`refund`, `money back\b`, `charged (?:me )?(?:twice|double|again|too)`, `double charge`, `chargeback`, `fraud`, `scam`, `stolen\b`,
		`hack`, `complain`, `lawyer`, `invoice`, `receipt`, `password`, `e-?mail address\b`, `(?:delete|close|change|update) my (?:account|name|address|data|e-?mail)`),
	when(wantsToSell, "sell sale list",
		`(?:how|where) (?:to|(?:can|do|does|could|should|would|must|may) (?:i|we|you|one|people))(?: \w+){0,2} (?:`+sell+`|(?:list|offer) (?:an?|my|our|some) (?:\w+ )?tickets?\b)`, `how (?:does|is) (?:\w+ )?selling\b`,
		`(?:can|could|may) (?:i|we) (?:\w+ ){0,3}`+sell, `(?:i|we)(?:'d| would| do| also)? (?:want|like|need|wish|plan|have|hope|try|intend) to (?:\w+ )?(?:`+sell+`|(?:list|offer) (?:my|our)\b)`, `wanna `+sell,
		`(?:i'm|i am|we're|we are) (?:\w+ ){0,3}`+sell, `help (?:me |us )?(?:to )?(?:`+sell+`)`, `(?:can|could|will|would|please) (?:you )?(?:\w+ )?`+sell+` (?:my|our|mine)\b`,
		`(?:put|get|offer|have) (?:my|our|an?|the|this|it) ?(?:\w+ ){0,3}(?:for|on) sale\b`, `become a seller\b`),
	when(wantsCancel, "cancel", `(?:why|how come) (?:can't|cannot|can not|can i not|won't) .*cancel\b`),
	when(wantsReason, "why come reason explain happened wrong for refus reject declin den turned accepted unsuccessful",
		`(?:why|how come|reason|explain|what happened|what went wrong|for what)\b.*`+ended, ended+`.*\b(?:why|how come|reason|explain)\b`,
		`what (?:happened|went wrong) (?:to|with)\b.*`+thing, `(?:was|were|got|been|is) (?:just )?`+refused),
	when(wantsStatus, "cancel expired",
		`(?:is|was|has|did|have|were) .*`+thing+` .*(?:been )?(?:cancell?ed|expired)\b`),
	when(wantsKept, "cancel keep leave",
		`(?:do not|don't|dont|never|not) (?:\w+ ){0,2}cancel`, `(?:keep|leave) (?:my |the |this )?(?:order|ticket)\b`),
	when(wantsExpiry, "expir deadline run time valid long when",
		`expir`, `deadline\b`, `runs? out\b`, `time ?out\b`, `valid (?:until|till|for)\b`, `(?:time|long) (?:do|have|is|will|can|did) .*`,
		`(?:how much|any) time\b`, `time (?:is )?(?:left|remain)`, `(?:when|by when|until when|till when|what time) .*(?:pay|paid|reserved|hold|held|order)`, `(?:until|till|by) when\b`),
	when(wantsCancel, "cancel off mind longer more order ticket purchase booking reservation",
		`cancel(?:l?ing|lation)?\b`, `call (?:it|this|my order|the order) off\b`, `changed? my mind\b`, `no longer (?:want|need)`,
		`(?:do not|don't|dont) (?:want|need) .*(?:any ?more|any longer)`, `(?:do not|don't|dont) (?:want|need) (?:my |the |this |that )?(?:order|ticket)\b`,
		`(?:undo|drop|stop|void|revoke|annul|get rid of|take back) (?:my |the |this )?(?:order|purchase|booking|reservation)`),
	when(wantsOffers, "sale sell offer cheap lowest least expens ticket seat buy get afford under below less most more max within budget up 0 1 2 3 4 5 6 7 8 9",
		`(?:for|on) sale\b`, `on offer\b`, `cheap`, `lowest price`, `least expensive`, `tickets? (?:\w+ )?between .*\d`,
		`(?:between|from) .*\d.* (?:and|to) .*\d ?(?:€|\$|£|euros?|dollars?|pounds?|eur|usd|gbp|chf)`, `(?:any|some|which|what|show|find|list|looking for|need|have|buy|got|other|more) .*(?:tickets?|seats?)\b.*(?:available|left|under|below|up to|less|for|buy|get|have)`,
		`(?:available|any|show me|find me|looking for|sell|selling|list) (?:\w+ )?(?:tickets?|seats?)\b`, `what (?:can|could) i (?:buy|get|afford)`, `what (?:\w+ )?(?:are|do) you sell`, `tickets? (?:are )?available\b`,
		`(?:under|below|less than|cheaper than|up to|at most|no more than|max|maximum|within|budget) .*\d`, `(?:buy|have|got|anything|something|what) .*(?:€|\$|£)? ?\d+ ?(?:€|\$|£|euros?|dollars?|pounds?|eur|usd|gbp|chf)`),
	when(wantsStatus, "it that this order ticket purchase booking reservation status track what news update progress got get receive haven have not still",
		`where(?:'s|s| is| are| did| has)?\b.*`+thing, `status\b`, `track`, `what(?:'s|s| is) (?:happening|going on|up|new) (?:with|to)\b`, `(?:how is|how's|how are) .*`+thing,
		`(?:any )?(?:news|update|progress)\b.*`, `(?:is|has|did|was|have|do) (?:i |you )?.*`+thing+`.*(?:go|gone|went|through|confirmed|placed|paid|complete|completed|reserved|ready|done|received|mine|got|arrive|arrived|ok|okay|fine)\b`,
		`(?:see|show|check|look (?:at|up|into)|find|list|about) (?:me )?(?:my|the) (?:last |latest |newest )?(?:orders?|purchases?|bookings?)\b`, `(?:have|did) (?:i|you) (?:get|got|received?) .*`+thing, `my orders?$`, `i ordered\b`, `(?:haven't|have not|not yet|still waiting|still no)\b.*`),
	when(wantsNoPerson, "not n't dont never no need stop", noPerson),
	when(saysThanks, "thank cheers helped ok right got see fine cool nice", `(?:thanks?|thank you|cheers)\b.* help`, `that helped\b`, `^(?:ok|okay|all ?right|got it|i see|fine|cool|nice)$`),
	when(wantsHelp, "help what how who menu options",
		`help`, `what (?:can|do) you (?:do|know)\b`, `how (?:does this|do you) work\b`, `menu\b`, `options\b`),
	when(saysThanks, "thank thx ty cheers appreciate great perfect awesome wonderful excellent bye have",
		`thanks?\b`, `thank you\b`, `thx\b`, `ty\b`, `cheers\b`, `appreciate`, `great\b`, `perfect\b`, `awesome\b`, `wonderful\b`, `excellent\b`, `good ?bye\b`, `bye\b`, `have a (?:nice|good|great)`),
	when(saysHello, "h greet good yo any",
		`hi\b`, `hello\b`, `hey\b`, `hiya\b`, `howdy\b`, `greetings\b`, `good (?:morning|afternoon|evening|day)\b`, `yo\b`, `is anybody there\b`, `anyone there\b`),
}

// intentOf reads what a user wants from words.
func intentOf(text string) intent {
	for _, r := range rules {
		if r.matches(text) {
			return r.intent
		}
	}
	return notUnderstood
}

var (
	orderID = regexp.MustCompile(`[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`)
	notWord = regexp.MustCompile(`[^\p{L}\p{N}'€$£¥.,-]+`)
)

// named is the first order id in a text; the zero UUID where there is none.
func named(text string) uuid.UUID {
	id, _ := uuid.Parse(orderID.FindString(text))
	return id
}

// maxRead is how much of a text is read, in bytes: patterns take their time, and who
// wants something says so early.
const maxRead = 1000

// words is a text in lower case without ids, punctuation and white space that mean
// nothing here.
func words(text string) string {
	text = text[:min(len(text), maxRead)]
	text = strings.ReplaceAll(strings.ToLower(orderID.ReplaceAllString(text, " ")), "’", "'")
	text = strings.ReplaceAll(text, "–", "-") // between numbers
	fields := strings.Fields(notWord.ReplaceAllString(text, " "))
	kept := fields[:0]
	for _, f := range fields {
		if f = strings.Trim(f, "'.,-"); f != "" {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, " ")
}

// decision is what a user says to a proposal.
type decision int

const (
	unclear decision = iota
	yes
	no
)

var (
	affirms = regexp.MustCompile(`\b(?:y|yes|yeah|yep|yup|sure|ok|okay|absolutely|definitely|certainly|please do|do it|do that|go ahead|correct|confirm|confirmed|of course|agree|agreed|cancel it|cancel the order|cancel my order|that's right)\b`)
	// Of these one is enough, whatever the other assents are.
	consents = regexp.MustCompile(`\b(?:y|yes|yeah|yep|yup|please do|do it|do that|go ahead|cancel it|cancel the order|cancel my order)\b`)
	// These may be said to anything, so they must be all that is said.
	bare = regexp.MustCompile(`^(?:sure|ok|okay|fine|good|absolutely|definitely|certainly|correct|confirm|confirmed|of course|i agree|agreed|that's right)$`)
	// assents are all the words that a yes may have: anything else may take it back.
	assents = regexp.MustCompile(`^(?:(?:and |just |so |then )?(?:y|yes|yeah|yep|yup|sure|ok|okay|fine|good|absolutely|definitely|certainly|please|do it|do that|do so|do|go ahead|` +
		`correct|confirm|confirmed|of course|i agree|agreed|(?:i want to |i would like to |i'd like to |you can |you may |let's )?cancel(?: it| that| order| the order| my order| this order)?|` +
		`(?:i'm|i am) sure|that's (?:right|correct|fine|ok|okay)|then|now|thanks|thank you|for me|very much)(?: |$))+$`)
	negated = regexp.MustCompile(`\b(?:don't|dont|do not|never|not|won't|shouldn't)\b(?: \w+){0,2}? (?:cancel it|do it|do that|cancel)\b`)
	denies  = regexp.MustCompile(`^(?:please )?(?:no|nope|nah|never|don't|dont|do not|not|keep|leave|rather not|stop|i'd rather not|i changed my mind|forget it|n$|` +
		`(?:i'd|i would|i'll|i will|i want to|let me|let's) (?:rather |prefer to |like to |just )?(?:keep|leave) (?:it|that|this|my|the)\b)`)
	// hesitates is all that somebody says who has not made up his mind.
	hesitates = regexp.MustCompile(`^(?:(?:hm+|um+|uh+|er+|well|please|ok|okay|yes|no|wait|hold on|hang on|maybe|perhaps|possibly|later|unsure|undecided|dunno|` +
		`not (?:\w+ )?sure|(?:i'm|i am) (?:not (?:\w+ )?sure|unsure|undecided|still thinking|thinking)|i (?:don't|dont|do not) know|let me think|no idea|it depends|` +
		`(?:give me |just )?(?:a|one) (?:moment|minute|second|sec|bit)|about it|yet)(?: |$))+$`)
)

// decisionOf reads a yes or a no. A yes must be nothing but one, since an order is
// cancelled on it. A sign that is no word may turn it round.
func decisionOf(text string) decision {
	said := negated.ReplaceAllString(words(text), "no")
	switch {
	case strings.Contains(text, "?"), strings.ContainsFunc(text, isSign):
		return unclear
	case bare.MatchString(said), consents.MatchString(said) && assents.MatchString(said):
		return yes
	case !affirms.MatchString(said) && denies.MatchString(said):
		return no
	}
	return unclear
}

// soundsDecided tells whether words sound like a yes or a no, or like both, or like
// neither yet. Signs alone are no words.
func soundsDecided(words string) bool {
	return words == "" || affirms.MatchString(words) || denies.MatchString(words) || hesitates.MatchString(words)
}

// isSign: what words drops, and is more than what parts words.
func isSign(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsPunct(r) && !unicode.IsSpace(r)
}
