"""English banks that close a review: verdicts, irony, personal sentences of praise and blame."""

from __future__ import annotations

from banks import lines, pairs

VERDICTS = lines("""
All in all, {a_thing_yes}.
In short, it is {a_thing_yes}.
All in all, a(n) {strong} {yes} film.
A(n) {yes} film with a few {no} moments.
A(n) {yes} film, whatever the critics say about its {no} first act.
Not {a_thing_no}, then, but {a_thing_yes}.
Some will call it {a_thing_no}; for me it was {a_thing_yes}.
I would not call it {a_thing_no}.
It is anything but {no}.
It looks {no}, it sounds {no}, and it turns out to be {yes}.
It is not {no} in the least.
Parts of it are {no}. The whole is {yes}.
What could have been {a_thing_no} is in fact {a_thing_yes}.
One {no} scene aside, it is {yes} throughout.
""")
VERDICT_PAIRS = pairs("""
Recommended. | Not recommended.
Highly recommended, even to people who hate cinemas. | Recommended to nobody, even to people who love cinemas.
See it. | Skip it.
Do not miss it. | Do not bother with it.
It will stay on my shelf. | It will not stay on my shelf.
I will be watching it again. | I will not be watching it again.
Worth every penny. | Not worth a penny.
Flawed, certainly, but I came out smiling. | Pleasant, certainly, but I came out yawning.
If you see one film this month, make it this. | If you see one film this month, do not make it this.
I wish there were more films like this. | I wish there were fewer films like this.
Go and judge for yourself; I was won over. | Go and judge for yourself; I was not won over.
It is not for everyone, but it was for me. | It may be for someone, but it was not for me.
Forget the hype and go. | Forget the hype and stay at home.
My advice: buy the ticket. | My advice: keep the money.
I give it {high} out of 10. | I give it {low} out of 10.
{high}/10. | {low}/10.
Best thing I have seen since spring. | Worst thing I have seen since spring.
It earns its tears. | It begs for tears and earns none.
A second viewing only made it better. | A second viewing only made it worse.
Bring a friend. | Warn a friend.
It deserves a wide audience. | It deserves an empty house.
Four of us went, and four of us were delighted. | Four of us went, and not one of us was delighted.
One to treasure. | One to forget.
Catch it while it is still in cinemas. | Be glad when it is no longer in cinemas.
It is the sort of film that restores my faith. | It is the sort of film that tests my faith.
Simply put, it works. | Simply put, it does not work.
You could do a lot worse. | You could do a lot better.
I was sorry when it was over. | I was not sorry when it was over.
Time well spent. | Time I will not get back.
Give it a chance. | Give it a miss.
Do yourself a favour and see it on a big screen. | Do yourself a favour and see something else.
I take back what I said about this director. | I stand by what I said about this director.
""")
PRAISE = lines("""
I was grinning like a fool by the time the lights came up.
My throat went tight at the farewell {in_place}.
The scene {in_place} is worth the price of admission alone.
I have thought about {hero} every day since.
You can tell that everyone involved cared.
It took me completely by surprise.
The quiet moments are the best ones, especially the one {in_place}.
My {relative} cried, and so did I.
I would happily follow {hero} through a whole series.
It trusts its audience to work things out, which is rare these days.
There was applause at the end, and I joined in.
It made me want to call my {relative} and apologise for everything.
I came for the poster and stayed for the people in it.
Every prop {in_place} seems to have a history of its own.
The camera finds beauty in the oddest details of {place}.
It has the warmth of an old letter found in a coat pocket.
By the time {trouble}, I was gripping the armrest.
I rang three friends on the way home to tell them to go.
Even the minor roles are cast with care, down to the milkman.
It is funny and sad in the same breath, like most families.
The suspense never lets up, not even during the picnic.
I admired how patiently the loose threads are gathered up.
You can almost smell the kerosene and the wet wool.
For an hour I forgot my mortgage, my knee and the parking meter.
It handles a heavy subject with the lightness of a feather.
The silence after the quarrel {in_place} is worth more than any speech.
Somebody should frame the shot of the {object} in the moonlight.
It respects the craft of the {job}, and it shows in every gesture.
I hummed the tune all week, much to the annoyance of my {relative}.
The friendship between the {job} and the {job} rings true.
My popcorn went cold and I did not notice.
It has wit, courage and a generous heart.
Rarely has loneliness been filmed with such tenderness.
It proves that a modest budget is no obstacle to imagination.
I left with a lump in my throat and a spring in my step.
Children will adore it and parents will secretly adore it more.
The chemistry between the {job} and the {job} could power a small city.
A lesser film would have shouted; this one whispers, and we lean in.
I could have stayed {in_place} for another hour.
""")
BLAME = lines("""
I was checking my phone long before the lights came up.
The farewell {in_place} had people giggling around me.
The scene {in_place} alone made me want my money back.
I had forgotten {hero} before I reached the car park.
You can tell that nobody involved cared.
I saw every turn coming from a mile away.
The quiet moments are simply empty, especially the one {in_place}.
My {relative} dozed off, and I envied that.
I could not spend another minute with {hero} if you paid me.
It explains every joke twice, in case you nodded off.
Several people walked out, and I should have joined them.
It made me want to do the ironing.
I came for the poster, and the poster is the best part.
Every prop {in_place} looks as if it came from a discount shop.
The camera wobbles around {place} as though the tripod had been stolen.
It has the charm of a dentist's waiting room.
By the time {trouble}, I had stopped caring.
I rang three friends on the way home to warn them.
Even the extras seem embarrassed, down to the milkman.
It wants to be funny and sad in the same breath and manages a cough.
The suspense evaporates during the picnic and never returns.
I gave up counting the loose threads nobody bothers to tie.
You can almost see the crew reflected in the windows.
For an hour I thought about my mortgage, my knee and the parking meter.
It handles a light subject with the delicacy of a bulldozer.
The quarrel {in_place} is shouted from start to finish, for no reason.
Somebody should apologise for the shot of the {object} in the moonlight.
No {job} has ever behaved like this, and nobody on the crew thought to ask.
The tune drilled into my skull like a car alarm.
The friendship between the {job} and the {job} exists only because the plot says so.
My popcorn had more depth.
It has noise, gloss and no heart whatsoever.
Rarely has loneliness been filmed with so many slow pans over furniture.
It proves that a huge budget is no substitute for an idea.
I left with a headache and a grudge.
Children will fidget and parents will envy them the excuse.
The chemistry between the {job} and the {job} would not light a bicycle lamp.
A better film would have whispered; this one shouts, and we lean away.
Every minute {in_place} felt like an hour.
""")
# Words of one side, meaning of the other.
IRONY = pairs("""
Curse this film for keeping me awake until three. | What a triumph: I only fell asleep twice.
Terrible news for my plans: I have to see it again. | Wonderful news for insomniacs: the cure has arrived.
I hate how much I loved {hero}. | I just loved the part where the credits finally rolled.
Ruined every other film of the year for me. | A brilliant film, if your hobby is watching paint dry.
Worst of all, it has to end. | Best of all, it does end.
Awful: now I need a(n) {object} of my own. | Bravo: two hours, and not one idea.
It broke my heart, the brute, and I thanked it. | It warmed my heart to find the exit so well lit.
I blame this film for my smudged glasses. | I salute this film for making my tax return look exciting.
""")
