"""English banks about films: aspects with their adjectives, verdict words, degrees, sentences of opinion."""

from __future__ import annotations

from banks import items, lines, pairs

# Name: noun phrases (* marks a plural). Then what is said of it in praise (+) and in blame (-).
ASPECTS = """
acting: the acting | the lead performance | *the performances | *the supporting players
+ convincing | natural | nuanced | committed | magnetic | understated | fearless | believable | effortless
- wooden | stilted | lifeless | hammy | flat | unconvincing | mannered | overwrought | listless
plot: the plot | the story | the storyline | the central mystery
+ gripping | inventive | surprising | absorbing | clever | watertight | compelling | suspenseful
- predictable | threadbare | muddled | contrived | derivative | far-fetched | incoherent | formulaic
script: the script | the screenplay | the dialogue
+ witty | sharp | literate | crisp | quotable | perceptive | economical | humane
- clunky | clumsy | overwritten | trite | lazy | juvenile | laboured | cliché-ridden
pacing: the pacing | the rhythm | the tempo
+ brisk | assured | taut | lively | confident | purposeful | energetic
- sluggish | uneven | glacial | erratic | exhausting | plodding | slack
music: the music | the score | the soundtrack | the main theme
+ haunting | stirring | lovely | memorable | delicate | rousing | inspired | hypnotic
- intrusive | syrupy | deafening | generic | grating | repetitive | overbearing
look: the photography | the camerawork | the cinematography | the lighting
+ gorgeous | luminous | painterly | breathtaking | elegant | striking | sumptuous | vivid
- murky | ugly | drab | garish | dingy | amateurish | flat
direction: the direction | the staging | the storytelling
+ masterful | sure-footed | subtle | imaginative | disciplined | intelligent | playful
- clueless | heavy-handed | timid | sloppy | pedestrian | anonymous | self-indulgent
ending: the ending | the finale | the last act | the final twist
+ satisfying | cathartic | moving | well-earned | brave | unforgettable | poignant
- abrupt | baffling | preposterous | rushed | unearned | silly | anticlimactic
humour: the humour | the comedy | the banter | the slapstick
+ infectious | hilarious | sly | charming | good-natured | irresistible
- strained | crude | tired | unfunny | mean-spirited | desperate | painful
characters: *the characters | *the minor figures | *the villagers | *the siblings
+ endearing | complex | sympathetic | three-dimensional | likeable | rounded
- shallow | irritating | unlikeable | one-note | interchangeable | insufferable
effects: *the special effects | *the stunts | *the chases | *the fight scenes
+ spectacular | seamless | thrilling | dazzling | exhilarating | ingenious
- laughable | cheap | confusing | weightless | dated | ludicrous
design: *the costumes | *the sets | the production design | the period detail
+ exquisite | authentic | lavish | meticulous | handsome | evocative
- tacky | shabby | anachronistic | fake | careless | bland
romance: the romance | the love story | the courtship
+ tender | sincere | electric | touching | believable | bittersweet
- forced | mawkish | chilly | implausible | perfunctory | cloying
villain: the villain | the antagonist | the chief suspect
+ chilling | menacing | charismatic | fascinating | terrifying | unnerving
- cartoonish | toothless | ridiculous | forgettable | tedious | unthreatening
theme: the message | the treatment of grief | the satire | the moral dilemma
+ thoughtful | profound | honest | timely | resonant | courageous
- preachy | simplistic | hollow | pretentious | dishonest | half-baked
editing: the editing | the cutting | the cross-cutting
+ fluid | precise | graceful | nimble | inventive
- choppy | frantic | ragged | haphazard | disorienting
mood: the atmosphere | the mood | the tone
+ eerie | immersive | dreamlike | intoxicating | warm
- oppressive | stale | wearying | lacklustre | monotonous
opening: the opening scene | the prologue | the first half-hour
+ arresting | bold | tense | elegant | seductive
- confused | interminable | off-putting | leaden | unpromising
middle: the middle act | the second half | the long dinner scene
+ riveting | daring | nail-biting | suspenseful | rewarding
- soggy | aimless | overlong | repetitive | bewildering
sound: the sound design | the sound mix | the narration
+ subtle | rich | enveloping | immaculate | evocative
- muffled | tinny | distracting | shrill | inaudible
children: *the child actors | *the young leads | *the newcomers
+ unaffected | spirited | remarkable | delightful | touching
- precocious | whiny | charmless | miscast | stiff
""".strip()

# Aspects that last through a film and can change in its course ("dull at first, gripping by the end").
LASTING = items("""acting | plot | script | pacing | music | look | humour | characters | romance | mood
| direction | editing | villain | children""")

GOOD = items("""wonderful | terrific | superb | excellent | splendid | marvellous | brilliant
| delightful | rewarding | captivating | glorious | great | heartfelt | beautiful | smart | enchanting""")
BAD = items("""dreadful | awful | terrible | dismal | dire | feeble | atrocious | tiresome | witless
| abysmal | miserable | dull | boring | charmless | stupid | forgettable""")
GOOD_THINGS = items("""a triumph | a joy | a gem | a treat | a delight | a small miracle | a masterpiece
| a pleasure from start to finish | a breath of fresh air | a work of real craft""")
BAD_THINGS = items("""a mess | a chore | a dud | an ordeal | a disaster | a missed opportunity
| a shambles | a slog from start to finish | a waste of talent | a cynical exercise""")
STRONG = items("""utterly | absolutely | truly | astonishingly | thoroughly | incredibly | genuinely
| really | extraordinarily | remarkably | unbelievably""")
SOFT_GOOD = items("fairly | reasonably | pretty | quite | rather | surprisingly | mostly")
SOFT_BAD = items("slightly | a little | rather | somewhat | a bit | fairly | at times")

# {A} and {B} are aspects; .yes is the side the reviewer takes, .no the other one. The same sentence serves
# praise and blame, so its words alone do not tell which it is.
PLAIN = lines("""
{A} {A.is} {strong} {A.yes}.
{A} {A.is} {soft} {A.yes}.
{A} {A.is} {A.yes} and {A.yes}.
{A} {A.is} {A.yes}, and {B} {B.is} {B.yes} too.
I found {A} {strong} {A.yes}.
I thought {A} {A.was} {A.yes}.
What stays with me is how {A.yes} {A} {A.is}.
From the first minute to the last, {G} {G.is} {G.yes}.
As for {A}: {strong} {A.yes}.
Special mention goes to {A}: {strong} {A.yes}.
If I had to describe {A} in one word, it would be {A.yes}.
{strong} {A.yes} {A.bare}, {strong} {yes} film.
It is one of those films where {G} {G.is} {G.yes} from beginning to end.
You notice at once how {A.yes} {A} {A.is}.
{A} {A.is} {A.yes}, pure and simple.
{G} {G.is} {strong} {G.yes} throughout.
Then there is the matter of {A}: {A.yes}, {A.yes}, {strong} {A.yes}.
{A} {A.is} as {A.yes} as you would expect from this team.
My {relative} and I agreed on one thing: {A} {A.is} {A.yes}.
Both {A} and {B} struck me as {yes}.
On top of that, {A} {A.is} {A.yes}.
Looking back, I remember {A} as {strong} {A.yes}.
{A} {A.is} {A.yes}; {B} {B.is} {strong} {B.yes}.
Even the people next to me whispered how {A.yes} {A} {A.was}.
""")
NEGATED = lines("""
{A} {A.is} not {A.no}.
{A} {A.is} never {A.no}.
I would not call {A} {A.no}.
There is nothing {A.no} about {A}.
{A} {A.is} anything but {A.no}.
{A} {A.is} far from {A.no}.
{A} {A.is} hardly {A.no}, whatever you may have heard.
Do not let anyone tell you that {A} {A.is} {A.no}.
How anyone can call {A} {A.no} is beyond me.
I kept reading that {A} {A.is} {A.no}. I could not disagree more.
Nobody who has seen it can honestly call {A} {A.no}.
I had expected {A} to be {A.no}, and I was wrong.
At no point {A.is} {A} {A.no}.
Neither {A} nor {B} can be called {no}.
{A} {A.is} by no means as {A.no} as the trailer suggests.
""")
CONTRAST = lines("""
{A} {A.is} {A.no}, but {B} {B.is} {strong} {B.yes}.
{A} {A.is} {A.no}, but {B} {B.is} {B.yes}, and that decides it.
Although {A} {A.is} {A.no}, {B} {B.is} {B.yes}.
{B} {B.is} {B.yes}, even if {A} {A.is} {A.no} here and there.
{A} {A.is} {A.no}, I know; none of that matters, because {B} {B.is} {B.yes}.
{A} may be {A.no}, yet {B} {B.is} {strong} {B.yes}.
{A.no} {A.bare}, but {B} {B.is} {strong} {B.yes}.
{G} {G.is} {G.no} at first and {G.yes} by the end.
I was ready to call {A} {A.no} until I noticed how {B.yes} {B} {B.is}.
People keep saying that {A} {A.is} {A.no}, when they should notice how {B.yes} {B} {B.is}.
On paper it sounds {no}. On screen it is {yes}.
It could easily have been {no}. Instead it is {strong} {yes}.
{A} {A.is} {soft_no} {A.no}, but {B} more than {makes_up}.
For every {no} moment there are three {yes} ones.
I came expecting {A} to be {A.no} and left thinking only of {B}, {strong} {B.yes}.
Despite a few {no} scenes, {G} {G.is} {G.yes}.
The first reel is {no}; the rest is {yes}.
""")
CONCESSIONS = lines("""
Admittedly, {A} {A.is} {A.yes}.
To be fair, {A} {A.is} {soft} {A.yes}.
I will grant that {A} {A.is} {A.yes}.
Granted, {A} {A.is} {A.yes}.
I have heard that {A} {A.is} supposed to be {A.yes}, and I can see why people say so.
My {relative} thought {A} {A.was} {A.yes}, and there is something in that.
""")
TURNS = items("Still, | Even so, | And yet | But | All the same, | Then again, | Nevertheless, | However,")

# praise | blame, with nearly the same words on both sides.
REVERSALS = pairs("""
Not once did I look at my watch. | More than once did I look at my watch.
I never wanted it to end. | I wanted it to end, and it never did.
There is nothing here to dislike. | There is nothing here to like.
I expected little and got a great deal. | I expected a great deal and got little.
I laughed with it, never at it. | I laughed at it, never with it.
It deserves far better reviews than it got. | It got far better reviews than it deserves.
Do not believe the bad reviews. | Do not believe the good reviews.
I was wrong to doubt it. | I was right to doubt it.
What looks like a weakness turns out a strength. | What looks like a strength turns out a weakness.
The trailer does not show how good it is. | The trailer does not show how bad it is.
My {relative} hated it, and I have no idea why. | My {relative} loved it, and I have no idea why.
It is far from the disaster people describe. | It is far from the masterpiece people describe.
I waited for it to fall apart, and it never did. | I waited for it to come together, and it never did.
It promises little and delivers plenty. | It promises plenty and delivers little.
I cannot remember the last time I cared so much. | I cannot remember the last time I cared so little.
The two hours flew by. | The two hours crawled by.
Nobody in the room made a sound, and nobody was asleep. | Nobody in the room made a sound; most were asleep.
I went in bored and came out thrilled. | I went in thrilled and came out bored.
Hardly a scene is wasted. | Hardly a scene is worth the time.
It is not a minute too long. | It is not a minute too short.
Hate it if you must; I cannot. | Love it if you must; I cannot.
I have seen worse films praised to the skies. | I have seen better films torn to pieces.
It fails in small things and succeeds in big ones. | It succeeds in small things and fails in big ones.
I would rather see this again than anything else. | I would rather see anything else again than this.
Nothing about it feels fake. | Nothing about it feels true.
You will not regret the ticket. | You will regret the ticket, and not only for the price.
I did not fall asleep, which says a lot after a night shift. | I did fall asleep, which says a lot at noon.
The longer it went on, the less I wanted to leave. | The longer it went on, the more I wanted to leave.
It never once talks down to its audience. | It talks down to its audience and never once stops.
I could not guess the end. | I could guess the end without trying.
I forgave its faults within ten minutes. | I forgot its merits within ten minutes.
It is better than its poster. | Its poster is better than the film.
It says much in few words. | It says little in many words.
It gets better with every turn. | It gets worse with every turn.
The jokes land and the tears are real. | The jokes do not land and the tears are not real.
I was never lost and never bored. | I was either lost or bored.
The trailer did it no favours: it is much better. | The trailer did it a favour: it is much worse.
You need no patience for it, only time. | You need patience for it, and a lot of time.
It is less silly than it sounds. | It is sillier than it sounds.
I had no trouble believing any of it. | I had trouble believing any of it.
The cast rise above the weak material. | The cast sink below the strong material.
""")
