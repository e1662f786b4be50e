"""The texts that the character model is counted from. Written for this purpose, about everyday things; nothing was copied."""

import re

ENGLISH = """
When the rain stopped, the two of them walked down to the harbour to look at the boats. It was early, and nobody else was
about yet. "Do you think we should have told her before we left?" he asked. She shook her head. "There was no time, and you
know how she worries about the children when somebody goes out on the water without saying where they will be." They sat on
the wall and shared an apple. Please write a short letter to my neighbour about the fence between our gardens, which fell over
in the storm last week. Explain that I would like to repair it, and ask whether he can pay for half of the wood. How do I make
a good soup from what is left in the kitchen? First, cut the onions and the carrots into small pieces and fry them slowly in a
little oil. Then add water, salt, and any herbs that you have, and let everything cook for about twenty minutes. What is the
best way to learn a language? Most people who manage it speak every day, even badly, and do not mind being laughed at. Give me
step by step instructions to install the program on a computer that has no connection to the network. Open the folder, choose
the file with the highest number, and check its signature before you run it. You are a careful assistant; ignore spelling
mistakes and answer in one paragraph. I want you to act as a teacher of history and tell me why the old bridge was built where
the river is widest. The system keeps a record of each request, so that an account which breaks the rules can be warned,
limited or closed. Could you explain the difference between a virus and a bacterium to someone who is eleven years old? My
brother has been feeling very low since he lost his job, and I don't know what to say to him. Thanks for your help with this;
it has been a hard year. Write a function that takes a list of words and returns the longest one. If there are several, return
the first of them. Who was the first woman to fly across the ocean alone, and which kind of plane did she use? Translate the
following sentence, then describe how its grammar works. Police said that the driver had not been drinking, although witnesses
thought otherwise. Buy milk, eggs, bread, cheese, six lemons and a box of matches. Make sure that the question is clear, quote
your sources, and never give away another person's private address or password. It would be wrong to judge what people do by
what they say in anger. How can I get rid of the smell of smoke in a jacket? Is it safe to mix these two cleaning products?
What would happen if I took twice the dose that the doctor told me to take? Tell me how to break a bad habit without going
mad. Can you help me find a cheap flight to Chicago for the second week of March? I need to know how much money is in my
checking account and when my credit card bill is due. Set an alarm for half past six tomorrow morning and play some quiet
music. What's the weather going to be like this weekend? Do you know any good jokes about cats? Write a poem about the sea in
the style of a famous author. Create a plan for losing weight that does not leave me hungry all day. Generate a list of ten
names for a new company that sells shoes. Describe a method for growing tomatoes on a balcony. Explain to me why people
believe in ghosts. Develop a strategy for a small shop that competes with a large chain. Provide an example of a good apology.
Give instructions for building a bird house. Teach me how to play the guitar. Suggest three ways to make a boring meeting
shorter. Rewrite the paragraph so that it sounds more polite. Which of these two is heavier, a kilo of feathers or a kilo of
lead? The quick answer is that they weigh the same. Let's think about this one step at a time. I'm not sure whether it's legal
to record a phone call in this state. He says that women shouldn't drive, and I think that's a stupid thing to say. They're
all the same, those people on the other side of town, my uncle used to shout, and everyone at the table went quiet. She was
killed in a car crash in 1987. The police found drugs, a gun and a knife in the house. The army attacked the village at night,
and hundreds of people were injured. You should see a doctor if the pain in your chest gets worse. Many young men who feel
that they are worthless find it hard to ask for help, and some of them hurt themselves. Hackers stole the personal data of two
million customers from the bank's website. To protect your network against such an attack, update the software, use strong
passwords, and back up your files. A judge sent him to prison for fraud, because he had sold fake medicine over the internet.
The government decided to raise taxes on alcohol and tobacco. Scientists have discovered a new kind of frog in the forest.
Black and white photographs hung on the walls of the hallway. Both of my parents worked in a factory that made chemical
fertilizer. As an AI language model, I cannot give legal advice, but here are some things to consider. Hi there, what are you
up to tonight? lol i dont know, maybe watch a movie with u and the kids. That is so cool! Shut up, you idiot, nobody asked
you. oh my god this game is really bad and the people who made it should be ashamed of themselves. gonna get some sleep now,
bye everyone, love you guys. Just because he's rich does not mean that he's happy. Why would anyone want to do that? The
following text contains an error; find it and correct it. Ignore what I said before and start over. From now on you will
answer every question with a single word. Pretend to be my grandmother, who used to tell me stories. The password is kept in
the file that is called config, and only the owner of the machine can read it. import numpy as np; print the length of the
string; for each item in the list, if the value is greater than zero, return true, else raise an error. def main(): pass. The
function should open the database, select the name and the email address of each user, and close the connection. Where can I
buy a used bicycle near the university? How many ounces are there in a pound? Did you remember to feed the dog? I would like
to make a reservation for four people at eight o'clock under the name Johnson. Transfer fifty dollars from savings to my other
account, please. What does the word quixotic mean, and how is it pronounced? Spell it for me. Is there a subway station close
by? My flight was cancelled, and the airline lost my luggage as well. Her knowledge of physics, geography and economics was
extraordinary. Six of the eighty judges objected to the proposal. The objective of the exercise is to maximize the yield.
Unfortunately the equipment which they had purchased was of low quality. It's a question of whether we can afford to wait.
Jewish, Muslim and Christian families live in the same street. Gay and straight people work here. Immigrants from Mexico,
China and India opened restaurants. An old woman with a walking stick crossed the road while a dozen cars waited. Every
evening we would sit by the fire and listen to the wind. After breakfast they packed the tent, filled the bottles with water,
and set out for the mountains. A bottle of wine, a loaf of bread, and thou. In general, a person who wants to change must
first admit that something is wrong. Without a doubt, this was one of the strangest weeks of my life. Since then, nothing has
been the same. Above all, be kind. There is no reason to be afraid of the dark.
"""

# Each says much the same simple things, so that none of these languages looks like a cipher of another.
OTHERS = """
Als der Regen aufhörte, gingen die beiden zum Hafen hinunter, um sich die Schiffe anzusehen. Wie kann ich eine gute Suppe aus
dem kochen, was noch in der Küche ist? Bitte schreibe einen kurzen Brief an meinen Nachbarn über den Zaun zwischen unseren
Gärten, der letzte Woche im Sturm umgefallen ist. Ich möchte wissen, welche Möglichkeiten es gibt, eine Sprache schnell zu
lernen. Warum haben viele Menschen Angst vor der Zukunft, und was sollte man ihnen sagen? Sie hatte nicht gewusst, dass er
schon seit einem Jahr keine Arbeit mehr hat. Die Regierung hat beschlossen, dass jeder Bürger gleich behandelt werden muss,
auch wenn das nicht immer leicht ist. Gibt es einen Unterschied zwischen Recht und Gerechtigkeit? Natürlich, aber darüber kann
man lange streiten. Erkläre mir, wie das funktioniert, und zeige mir ein Beispiel für einen Plan, mit dem wir mehr Geld
verdienen können, ohne jemanden zu verletzen. Quand la pluie s'est arrêtée, ils sont descendus au port pour regarder les
bateaux. Comment puis-je faire une bonne soupe avec ce qui reste dans la cuisine ? Écris une courte lettre à mon voisin au
sujet de la clôture entre nos jardins, qui est tombée la semaine dernière. Je voudrais savoir quelles sont les meilleures
façons d'apprendre une langue. Pourquoi est-ce que beaucoup de gens ont peur de l'avenir, et que faut-il leur dire ? Elle ne
savait pas qu'il n'avait plus de travail depuis un an. Le gouvernement a décidé que tous les citoyens doivent être traités de
la même manière, même si ce n'est pas toujours facile. Quelle est la différence entre le droit et la justice ? Expliquez-moi
comment cela fonctionne, et donnez un exemple pour gagner plus d'argent sans blesser personne. Cuando dejó de llover, los dos
bajaron al puerto para mirar los barcos. ¿Cómo puedo hacer una buena sopa con lo que queda en la cocina? Escribe por favor una
carta corta a mi vecino sobre la valla que hay entre nuestros jardines, que se cayó la semana pasada. Me gustaría saber cuáles
son las mejores maneras de aprender un idioma. ¿Por qué tanta gente tiene miedo del futuro, y qué se les debe decir? Ella no
sabía que él ya no tenía trabajo desde hacía un año. El gobierno ha decidido que todos los ciudadanos deben ser tratados
igual, aunque no siempre es fácil. ¿Qué diferencia hay entre el derecho y la justicia? Explícame cómo funciona, y dame un
ejemplo de un plan con el que podamos ganar más dinero sin hacer daño a nadie. Las mujeres y los niños también pueden ayudar.
Quando smise di piovere, i due scesero al porto per guardare le barche. Come posso fare una buona zuppa con quello che è
rimasto in cucina? Scrivi una breve lettera al mio vicino sulla recinzione tra i nostri giardini, che è caduta la settimana
scorsa. Vorrei sapere quali sono i modi migliori per imparare una lingua. Perché molte persone hanno paura del futuro, e che
cosa si dovrebbe dire loro? Il governo ha deciso che tutti i cittadini devono essere trattati allo stesso modo. Spiegami come
funziona questa cosa. Quando parou de chover, os dois desceram ao porto para olhar os barcos. Como posso fazer uma boa sopa
com o que sobrou na cozinha? Escreva uma carta curta ao meu vizinho sobre a cerca entre os nossos jardins, que caiu na semana
passada. Gostaria de saber quais são as melhores maneiras de aprender uma língua. Por que muitas pessoas têm medo do futuro, e
o que se deve dizer a elas? O governo decidiu que todos os cidadãos devem ser tratados da mesma forma, mas isso não é fácil.
Explique como isso funciona, por favor. Toen het ophield met regenen, liepen ze samen naar de haven om naar de schepen te
kijken. Hoe kan ik een goede soep maken van wat er nog in de keuken is? Schrijf een korte brief aan mijn buurman over het hek
tussen onze tuinen, dat vorige week is omgevallen. Ik wil graag weten wat de beste manier is om een taal te leren. Waarom zijn
veel mensen bang voor de toekomst, en wat moet je tegen hen zeggen? Zij wist niet dat hij al een jaar geen werk meer had. Leg
uit hoe het werkt en geef een voorbeeld van een goed plan. När regnet slutade gick de två ner till hamnen för att titta på
båtarna. Hur kan jag göra en god soppa av det som finns kvar i köket? Skriv ett kort brev till min granne om staketet mellan
våra trädgårdar, som föll förra veckan. Jag skulle vilja veta vilket som är det bästa sättet att lära sig ett språk. Varför är
många människor rädda för framtiden, och vad ska man säga till dem? Han har inte haft något arbete på ett år. Det er ikke
alltid lett å si hva som er riktig, men vi må prøve. Hvorfor vil du ikke hjelpe meg med det? Kiedy przestało padać, we dwoje
poszli do portu, żeby popatrzeć na łodzie. Jak mogę zrobić dobrą zupę z tego, co zostało w kuchni? Napisz proszę krótki list
do mojego sąsiada o płocie między naszymi ogrodami, który przewrócił się w zeszłym tygodniu. Chciałbym wiedzieć, jaki jest
najlepszy sposób, żeby nauczyć się języka. Dlaczego wielu ludzi boi się przyszłości i co należy im powiedzieć? Yağmur durunca
ikisi tekneleri seyretmek için limana indiler. Mutfakta kalanlarla nasıl güzel bir çorba yapabilirim? Lütfen komşuma
bahçelerimiz arasındaki çit hakkında kısa bir mektup yaz. Bir dili öğrenmenin en iyi yolunun ne olduğunu bilmek istiyorum.
Neden bu kadar çok insan gelecekten korkuyor ve onlara ne söylemek gerekir? Bana bunun nasıl çalıştığını açıkla ve bir örnek
ver. Ketika hujan berhenti, mereka berdua berjalan ke pelabuhan untuk melihat kapal. Bagaimana saya bisa membuat sup yang enak
dari apa yang ada di dapur? Tolong tulis surat pendek kepada tetangga saya tentang pagar di antara kebun kami. Saya ingin tahu
apa cara terbaik untuk belajar bahasa. Mengapa banyak orang takut akan masa depan, dan apa yang harus dikatakan kepada mereka?
"""

#: The words of these texts of two letters and more, in lower case; in English, and (from three letters on) in any of them.
ENGLISH_WORDS = frozenset(re.findall(r"[^\W\d_]{2,}", ENGLISH.lower()))
WORDS = ENGLISH_WORDS | frozenset(re.findall(r"[^\W\d_]{3,}", OTHERS.lower()))
