"""English banks that take no side: who, where, what happens, how the reviewer came to see it."""

from __future__ import annotations

from banks import items, lines

TRAITS = items("""retired | widowed | stubborn | disgraced | young | lonely | nearsighted | talkative
| runaway | penniless | ambitious | gruff | absent-minded | homesick | superstitious | elderly
| restless | soft-spoken | divorced | newly hired | one-armed | orphaned | proud | impulsive | shy
| sleepless | seasick | grumpy""")
JOBS = items("""lighthouse keeper | beekeeper | piano tuner | taxi driver | veterinarian | schoolteacher
| detective | baker | locksmith | cartographer | nurse | watchmaker | boxer | violinist | postman
| surgeon | fisherman | accountant | jockey | translator | puppeteer | bus conductor | botanist
| stuntwoman | clerk | magician | sheriff | seamstress | geologist | chess champion | barber
| weather forecaster | mechanic | astronomer | gravedigger | opera singer | smuggler | judge | librarian
| shepherd | pilot | goalkeeper | pharmacist | ballroom dancer | plumber | insurance agent | cook
| forger | radio host | ferryman | glazier | night porter | archivist | gardener | trapeze artist
| welder | interpreter | auctioneer | midwife | stonemason | lorry driver | butcher | ornithologist
| priest | bookbinder""")
# With the preposition that {in_place} wants; {place} leaves it out.
PLACES = items("""in a flooded mining town | in a snowbound hotel | at the harbour at dawn
| in a crumbling theatre | at an abandoned railway station | at a seaside boarding house
| in the botanical garden | at a desert truck stop | in a village without electricity
| in a crowded tenement | in an orbiting laboratory | at the old cannery | in a mountain monastery
| in a suburban cul-de-sac | at the county fair | in a bankrupt shipyard | on a fog-bound island
| in the courthouse basement | in a travelling circus | in an all-night laundrette
| at a vineyard after the frost | in a submarine | at the municipal swimming pool
| at a border checkpoint | in a provincial newspaper office | in an orchard in bloom
| in the last row of a cinema | in a greenhouse on the roof | in a prairie farmhouse
| at a marble quarry | at a bowling alley | at the observatory | in a hospital corridor
| at a fairground at night | in an underground garage | in a cathedral under repair | on a houseboat
| on the salt marshes | on a ski lift | at a boarding school for girls | in a junkyard
| in the customs warehouse | in a tram depot | at a roadside chapel""")
QUESTS = lines("""
inherits a haunted piano from a distant aunt
has to hide a wounded stranger in the attic
enters a dance contest to pay off a debt
finds a suitcase full of unsent letters
agrees to drive a coffin across three provinces
wakes up one morning able to hear radio signals
is blackmailed over a forgotten summer
takes in the daughter of a former rival
sets out to prove that the drowned mayor was murdered
opens a restaurant in the worst possible location
is mistaken for a famous general
tries to win back an old sweetheart before the harvest
discovers a map hidden in a wedding dress
smuggles a rare parrot over the frontier
has six days to repair the town clock
joins an expedition to photograph a comet
falls for the only witness in an arson case
volunteers for an experiment in dreaming
must teach a choir of convicts to sing
swaps apartments with a stranger from overseas
investigates a series of vanishing statues
promises a dying friend to find a lost brother
gets trapped in an elevator with a sworn enemy
buys a racehorse with somebody else's savings
returns to the valley after twenty years at sea
stumbles on a plot to poison the reservoir
receives a phone call from a number disconnected long ago
learns that the house next door does not exist on any plan
is ordered to evict a former teacher
raises a wolf cub in secret
builds a flying machine out of farm equipment
shelters a deserter during the last winter of the war
becomes the guardian of three noisy nephews
wins a lottery and loses the ticket
bets everything on a broken-down tugboat
spends one night locked in a museum of clocks
auditions for a symphony under a false name
tracks down the author of an anonymous threat
carries a frozen mammoth tusk to the capital
dreams of opening a bakery on the moon
defends a burglar nobody else will represent
learns to read at the age of seventy
tends a wounded falcon through a cold summer
loses a kidney in a game of cards
repairs radios for the resistance
rehearses a farewell that keeps being postponed
""")
TROUBLES = items("""the dam begins to leak | a blizzard cuts the telephone line
| an old flame arrives by bus | the bank recalls the loan | a body turns up in the orchard
| the insurance inspector starts asking questions | the bridge collapses
| a rival claims the inheritance | the dog goes missing | the generator fails
| somebody recognises the tattoo | the wedding is called off | a second twin appears | the ferry sinks
| the mayor announces an early election | a childhood photograph comes to light
| the strike turns violent | the fever spreads | the telescope breaks | the tide comes in
| a journalist publishes the diary | the gold proves to be brass | the hostages refuse to leave
| the orchestra quits""")
OBJECTS = items("""accordion | umbrella | typewriter | compass | unicycle | lantern | old gramophone
| harmonica | opera cloak | rowing boat | pocket telescope | ice-cream van""")
RELATIVES = items("""wife | husband | sister | brother | neighbour | daughter | son | flatmate | uncle
| mother | grandmother | colleague | boyfriend | girlfriend | cousin | dad | landlady | best friend
| brother-in-law""")
TIMES = items("""on a rainy Sunday | late last night | at a crowded preview | on a long flight
| over the holidays | at a half-empty matinee | during a power cut, on a laptop
| at a festival last autumn | at an outdoor screening | on a scratched disc | after a long day at work
| by accident, on cable | at a sneak preview | during a bad cold | at the local film club
| on my birthday | between two exams | in a double bill | without subtitles | on a tablet in bed
| in a hotel room | after years of putting it off""")
PREMISES = lines("""
It is about a(n) {trait} {lead} who {quest}.
A(n) {trait} {lead} {quest}, and things get complicated when {trouble}.
The film follows a(n) {trait} {lead} who {quest}.
The setting is {place}, where a(n) {lead} {quest}.
Somewhere {in_place}, a(n) {trait} {lead} {quest}.
Our hero, a(n) {trait} {lead}, {quest}; then {trouble}.
The premise: a(n) {lead} {quest}.
Two people meet {in_place}: a(n) {trait} {job} and a(n) {trait} {lead}. One of them {quest}.
When {trouble}, a(n) {trait} {lead} has to team up with a(n) {trait} {job}.
A(n) {lead} {quest} just as {trouble}.
In a nutshell, a(n) {trait} {lead} {quest}.
We meet a(n) {lead}, {trait} and broke, who {quest}.
""")
CIRCUMSTANCES = lines("""
I watched this {time}.
I saw this {time} with my {relative}.
My {relative} made me watch this {time}.
I knew nothing about it when I caught it {time}.
My {relative} had been recommending it for months.
I rented it because of the poster, which shows {place}.
I used to work as a(n) {job} myself, so I was curious.
I have followed this director since the early short films.
I picked it because it was the only thing on.
We had tickets for something else, but that was sold out.
A friend at work would not stop talking about it.
I missed it in cinemas and finally watched it {time}.
I know next to nothing about this kind of film.
It was raining, the bus was late, and the cinema was warm.
My {relative} chose it, so do not blame me.
This is my first review here, so bear with me.
I usually avoid films about a(n) {job}, but I made an exception.
I read the novel first, as one should.
Having grown up by the sea, I had my own reasons to watch it.
Spoilers ahead, so be warned.
This one had been on my list since {season}.
""")
ASIDES = lines("""
It runs for about {minutes} minutes.
Much of it takes place {in_place}.
There is a long scene {in_place} with a(n) {trait} {job} and a(n) {object}.
The {job} is played by somebody I had never seen before.
Look out for the {job} with the {object} in the background.
It was shot in {weeks} weeks, I believe.
The subtitles call the {job} a(n) {job}, which puzzled me.
About half an hour in, {trouble}.
Later on, {trouble}, and the {job} has to choose.
The {object} from the first scene comes back in the last one.
I will not give away what happens when {trouble}.
The second half moves to {place}.
Some of the dialogue is in dialect.
It was originally planned as a series, apparently.
There is a dog in it, for those who need to know.
The book has a different ending, by the way.
My {relative} asked me to explain the {object}.
It won a prize somewhere, though I forget which.
The credits thank a real {job} for advice.
Stay for the scene after the credits.
The poster promises a thriller; it is closer to a family drama.
Half of it is black and white, the rest is in faded colour.
The director also wrote it and, I gather, did the catering.
A sequel has been announced.
There are two versions, and I saw the longer cut.
The original was set {in_place}; this remake is not.
Keep an eye on the calendar in the kitchen.
The title only makes sense once {trouble}.
A narrator introduces us to {place}.
Three actors share the part of the {job} at different ages.
There is hardly any violence, though some swearing.
The studio released it without much publicity.
""")
SEASONS = items("last spring | the summer | October | before the holidays | the premiere | the winter")
