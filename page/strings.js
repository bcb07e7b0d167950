/* strings.js - every text of the page, in English and in German. A translation is one more table with the same keys;
 * tests/page checks that each has them all. {name} is put in by t(). */

export const STRINGS = {
    en: {
        name: 'English',
        title: 'BERT, every number',
        lead: 'A whole language model runs in this page. Type a sentence, hide a word, and look at every number on the way to the answer. Nothing is sent anywhere.',
        skip: 'Skip to the sentence',
        language: 'Language', theme: 'Colours', themeAuto: 'as the system', themeLight: 'light', themeDark: 'dark',
        loading: 'Loading: {what}', loadingData: 'unpacking the program', loadingModel: 'reading the model', loadingRun: 'computing the first sentence',
        ready: '{model}: {layers} layers, {heads} heads, {parameters} numbers learned. {tokens} tokens computed in {time} ms.',
        same: 'Checksum over every intermediate number', sameWhy: 'The command line program prints the same 64 digits for this text: bert trace --checksum. Both computed the same bits.',
        fast: 'fused instructions of this browser', exact: 'exact operations',
        failed: 'That did not work: {why}',

        askTitle: 'Ask', askA: 'Your sentence', askB: 'A second sentence (optional)', run: 'Compute',
        askHint: 'Click a word below to hide it. BERT guesses it from both sides.',
        examples: 'Examples', exampleBank: 'Three banks', exampleMask: 'A hidden word', exampleNext: 'Does B follow A?', exampleOther: 'A random B',
        tokens: 'Pieces', tokensHint: 'Each word is cut into pieces that the model knows; ## goes on with a word. The number is the piece\'s id.',
        hide: 'Hide "{word}"', show: 'Show "{word}" again', special: '{piece}, put in by the tokenizer',
        segment: 'segment {n}',
        fits: 'What fits at {piece}, token {n}', hiddenWord: 'The hidden word "{word}" is guess number {rank}, with {p}.',
        noMask: 'Click a word to hide it, or type [MASK].', noMlm: 'This model has no head that guesses words.',
        nextQuestion: 'Does the second sentence follow the first?', yes: 'yes, it follows', no: 'no, it is from elsewhere', noNext: 'This model has no head for this question.', noSecond: 'With a second sentence, the answer appears here.',
        guess: 'Piece', probability: 'Probability',

        stepsTitle: 'Look inside: sixteen steps', stepsLead: 'From letters to the answer, with the numbers of your sentence. Steps 7 to 13 happen in every layer.',
        modules: ['Tokenizer', 'Embedding', 'Encoder', 'Task head'],
        step: 'Step {n}', previous: 'Step before', next: 'Next step', layer: 'Layer', head: 'Head', token: 'Token', query: 'Looking token',
        formula: 'Formula', shapes: 'Shapes', why: 'Why', trap: 'A trap', code: 'The lines of C', numbers: 'The numbers as a table', save: 'Save as SVG',
        ofFile: 'from {file}', feature: 'feature', value: 'value', stage: 'Stage', result: 'Text', absent: 'not in this model',
        piece: 'Piece', id: 'Id', seg: 'Segment', mask: 'Mask', offset: 'Bytes', position: 'Position',
        stripWord: 'word', stripSegment: 'segment', stripPosition: 'position', stripSum: 'sum', stripNorm: 'after LayerNorm',
        stripQuery: 'query', stripKey: 'key', stripValue: 'value', stripContext: 'context', stripDense: 'dense', stripResidual: 'residual x', stripOut: 'hidden state', stripBefore: 'before GELU', stripAfter: 'after GELU', stripFirst: '[CLS] row', stripPooled: 'after tanh',
        mean: 'mean {mean}, deviation {deviation}',
        pictureStrips: 'The {n} numbers of "{token}", one stripe each: {low} is blue, {high} is orange, 0 is between.',
        pictureHead: '{what} of head {head}: a row for each token, {n} columns.',
        pictureMap: '{what}, layer {layer}, head {head}: row looks at column.',
        pictureAll: 'All {n} heads: a row for each layer, a column for each head. Choose one.',
        pictureArcs: 'Where "{token}" looks, layer {layer}, head {head}: the thicker the arc, the more.',
        pictureGelu: '{positive} of {n} numbers stay above 0.01 after GELU.',
        pictureChange: 'How far each token moved in each layer: 1 - cosine of hidden states l and l+1.',
        pictureCosines: 'Cosines of all tokens with each other in hidden state {layer}: 1 is the same direction.',
        scores: 'Scores', probs: 'Probabilities', hidden: 'Hidden state {n}', top: 'Most looked at',
        share: 'Share', cosine: 'Cosine', state: 'Hidden state', length: 'Length',

        banksTitle: 'One word, two meanings', banksLead: 'Before the first layer, two equal words differ by their place only. Layer by layer their context comes in, and their vectors part.',
        banksNone: 'Write a sentence in which a word stands more than once.', banksButton: 'Take the sentence with three banks',
        banksOther: 'Compare "{word}" with its like in another sentence', banksCompare: 'Compare', banksMissing: 'The other sentence does not have the piece "{word}".', banksWord: 'Word', here: 'here', there: 'there',
        banksOtherText: 'They sat on the bank of the river and looked at the water.',
        pictureElsewhere: 'Cosine of "{word}" here with "{word}" in the other sentence, in every hidden state.',
        pictureBanks: 'Cosine of "{word}" at two places, in every hidden state. 1 is the same direction.',
        pair: '{word}, tokens {i} and {j}',

        breakTitle: 'Break it', breakLead: 'Mistakes that real programs have made, one switch each; heads switched off; a word taken away. Before and after stand side by side.',
        mistake: 'A known mistake', none: 'none', more: 'All known mistakes',
        headsOff: 'Heads switched off', headsHint: 'layer {l}, head {h}', allOn: 'Switch all on', away: 'Words taken away', awayHint: 'Nobody may look at a word that is taken away.',
        before: 'Before', after: 'After', change: 'Change', first: 'The first number that differs is in {name}.', equal: 'Nothing differs: every number is the same.',
        nothing: 'With this text the mistake changes nothing.', resetAll: 'Undo everything',
        pictureDifference: 'How far each tensor is from the right one, in the order of the data (relative root mean square).', tensor: 'Tensor', difference: 'Difference',
        asIs: 'Switch something, and the difference appears here.',
        mistakes: {
            'no-scale': 'Scores are not divided by the root of D', 'gelu-tanh': 'GELU by its tanh approximation', 'no-activation': 'No activation at all',
            'segments-ignored': 'Segments are ignored', 'positions-missing': 'Positions are left out', 'positions-plus-one': 'Positions count from 1',
            'pre-norm': 'LayerNorm comes first (pre-LN)', 'attention-no-residual': 'Attention without its residual', 'softmax-queries': 'Softmax over the wrong axis',
            'query-key-swapped': 'Query and key are swapped', 'heads-reshaped': 'Heads are split wrongly', 'mask-ignored': 'The mask is ignored',
            'norm-unbiased': 'LayerNorm divides by H - 1', 'decoder-no-transform': 'The decoder has no transform', 'nsp-swapped': 'IsNext and NotNext are swapped',
        },

        learnTitle: 'Watch it learn', learnLead: 'One step of learning: guess, measure the error, go backwards through all sixteen steps, move every number a little. Here it is done with your sentence; the model in this page stays as it was.',
        learnStart: 'Learn this sentence', learnStop: 'Stop', learnNeeds: 'Hide at least one word of the sentence first: what is hidden is what it learns.',
        learnStep: 'Step', loss: 'Loss', pictureLoss: 'The loss after each step: the surprise at the hidden words, -ln p.', learnP: 'p("{word}")', learnForget: 'Forget what was learned',
        learnTold: 'After {n} steps the model gives "{word}" {p} (at first {p0}).', learnWhy: 'It learns this one sentence by heart. That is not understanding: a real training shows it millions of different ones.',
        growthTitle: 'How it came to know', growthLead: 'The model of this page learned from plain English text on one processor core: sentences with hidden words, and pairs of sentences of which half belong together. Here is how well it guessed while it learned, and what it said on the way.',
        growthWords: 'hidden words guessed', growthNext: 'pairs judged', pictureGrowth: 'Share of right answers against the steps of learning. Pairs: 0.5 is a coin. Words: 0.04 is to say the most frequent one always.',
        growthStages: 'After this many steps', growthSentence: 'Sentence', growthGuesses: 'After {n} steps its best guesses for {text}', growthBank: 'Bank robber and bank vault: cosine {same}. Bank robber and river bank: {other}. The further apart, the better it tells the senses.',

        modelTitle: 'Your own model', modelLead: 'Drop a directory with config.json, vocab.txt or tokenizer.json, and safetensors here (BERT of any size, also bert-base-uncased). It is read by the program\'s own readers and stays on your machine.',
        modelChoose: 'Choose a directory', modelBack: 'Back to the model of this page', modelReading: 'Reading {name} ...', modelDrop: 'Drop it here',

        takeTitle: 'Take it with you', takeLink: 'Copy a link to this view', takeCopied: 'Copied.', takeJson: 'Trace as JSON', takeSafe: 'Trace as safetensors', takeBertviz: 'Attention for bertviz',
        takeWhy: 'The link holds text and view; it works wherever this file is. The trace has every intermediate under Hugging Face\'s names: np.load, bert verify and PyTorch hooks find them by the same names.',
        foot: 'bert.c {version}: BERT from scratch in C. This page is the same C, compiled to WebAssembly.',

        steps: [
            { name: 'Clean', what: 'What can be written in many ways becomes one.', why: 'The model has one vector for "cafe" and none for "Café" (if it is uncased).', formula: 'delete the invisible; uncased: no accents, no capitals', trap: 'The order counts; a cased model keeps accents and capitals.' },
            { name: 'Split', what: 'Pieces never reach across words: a space ends a word, a punctuation mark is a word by itself.', why: 'How many spaces there were is lost; only the offsets remember.', formula: 'text → words', trap: '$, + and ~ split a word, the euro and the degree sign do not.' },
            { name: 'WordPiece', what: 'A fixed vocabulary is enough for any word: the longest piece that fits, then the longest ##piece, and so on.', why: 'Rare words are made of pieces of common ones.', formula: 'words → pieces', trap: 'One part without a piece makes the whole word [UNK].' },
            { name: 'Ids, segments, mask', what: 'These numbers are all that the model sees of the text.', why: '[CLS] opens the text and will carry the answer about all of it; [SEP] ends each sentence.', formula: '[CLS] A [SEP]   or   [CLS] A [SEP] B [SEP]', trap: 'A single text is segment 0. Padding comes last, with mask 0.' },
            { name: 'Three embeddings summed', what: 'What the token is, which text it is in, where it stands: three rows of learned numbers, added.', why: 'Without the third the order of the words would be lost.', formula: 'x_t = word[id_t] + segment[type_t] + position[t]', trap: 'Positions count from 0 and are a learned table, not sinusoids.' },
            { name: 'LayerNorm', what: 'Each row gets mean 0 and variance 1, then is rescaled by learned numbers.', why: 'It keeps the numbers in one range. This is hidden state 0: no token knows of any other yet.', formula: 'h = (x - mean) / sqrt(variance + eps) * gamma + beta', trap: 'The variance is divided by H, not H - 1; eps is inside the root.' },
            { name: 'Query, key, value', what: 'What a token looks for, what it offers, what it hands on.', why: 'Each head has its own slice of the columns, so each can look for something else.', formula: 'q = x Wq^T + bq   k = x Wk^T + bk   v = x Wv^T + bv', trap: 'Heads are slices: reshape to (N,A,D), never to (N,D,A).' },
            { name: 'Scores', what: 'How much token i wants to look at token j.', why: 'Without the division, softmax would give nearly all to one token.', formula: 'score_ij = q_i · k_j / sqrt(D)', trap: 'The mask belongs to the keys, the columns. BERT has no causal mask: it looks both ways.' },
            { name: 'Softmax', what: 'Each row becomes weights with sum 1: where token i looks.', why: 'Each head looks for itself. Choose other heads: some look at the next word, some at commas, some at meaning.', formula: 'p_ij = e^score_ij / sum over k of e^score_ik', trap: 'Rows sum to 1, columns do not.' },
            { name: 'Context', what: 'The weighted mean of the values of all tokens.', why: 'Here, and nowhere else, does one token\'s content reach another.', formula: 'context_i = sum over j of p_ij v_j', trap: 'The heads stand side by side again, each in its own columns.' },
            { name: 'Dense, residual, LayerNorm', what: 'The heads are mixed and added to what the token was before.', why: 'So a block only has to learn what to change.', formula: 'y = LayerNorm(x + context Wo^T + bo)', trap: 'Post-LN: first the sum, then LayerNorm. Many later models do it the other way round.' },
            { name: 'Feed-forward up, GELU', what: 'Each token by itself: a wide layer, then a curve.', why: 'GELU lets large numbers through and turns negative ones to almost 0. Without a curve, two layers could do no more than one.', formula: 'z = GELU(y W1^T + b1)', trap: 'There are two GELUs, by erf and by tanh; they part by up to 0.0005.' },
            { name: 'Feed-forward down, residual, LayerNorm', what: 'Back to the width of a hidden state, added to y.', why: 'The sum is normalized: this is the hidden state that the next layer gets.', formula: 'out = LayerNorm(y + z W2^T + b2)', trap: 'The residual is y, the output of step 11, not the layer\'s input.' },
            { name: 'Pooler, next sentence', what: 'One vector for one question: does B follow A?', why: 'It is made from the row of [CLS], which has looked at everything.', formula: 'pooled = tanh(h_0 Wp^T + bp)   logits = pooled W^T + b', trap: 'Label 0 is IsNext; nothing in the weights says so.' },
            { name: 'Guess the word', what: 'A score for every piece of the vocabulary: what fits here?', why: 'E is the table of word embeddings, used a second time. Choose a token: BERT guesses even where nothing is hidden.', formula: 't = LayerNorm(GELU(h W^T + b))   p = softmax(t E^T + c)', trap: 'A dense layer, GELU and LayerNorm come before the decoder.' },
            { name: 'Vectors and cosine', what: 'The same word gets another vector in another context.', why: 'That is what all of this was for.', formula: 'cos(a, b) = a · b / (|a| |b|)', trap: 'There are L + 1 hidden states: 0 is the embeddings, L the last layer\'s output.' },
        ],
    },
    de: {
        name: 'Deutsch',
        title: 'BERT, jede Zahl',
        lead: 'In dieser Seite läuft ein ganzes Sprachmodell. Schreiben Sie einen (englischen) Satz, verdecken Sie ein Wort, und sehen Sie jede Zahl auf dem Weg zur Antwort. Nichts wird irgendwohin gesendet.',
        skip: 'Zum Satz springen',
        language: 'Sprache', theme: 'Farben', themeAuto: 'wie das System', themeLight: 'hell', themeDark: 'dunkel',
        loading: 'Lädt: {what}', loadingData: 'das Programm wird entpackt', loadingModel: 'das Modell wird gelesen', loadingRun: 'der erste Satz wird gerechnet',
        ready: '{model}: {layers} Schichten, {heads} Köpfe, {parameters} gelernte Zahlen. {tokens} Tokens in {time} ms gerechnet.',
        same: 'Prüfsumme über alle Zwischenwerte', sameWhy: 'Das Programm auf der Kommandozeile nennt für diesen Text dieselben 64 Ziffern: bert trace --checksum. Beide haben dieselben Bits gerechnet.',
        fast: 'verschmolzene Befehle dieses Browsers', exact: 'exakte Operationen',
        failed: 'Das ging nicht: {why}',

        askTitle: 'Fragen', askA: 'Ihr Satz', askB: 'Ein zweiter Satz (wenn Sie mögen)', run: 'Rechnen',
        askHint: 'Klicken Sie unten auf ein Wort, um es zu verdecken. BERT errät es von beiden Seiten.',
        examples: 'Beispiele', exampleBank: 'Dreimal bank', exampleMask: 'Ein verdecktes Wort', exampleNext: 'Folgt B auf A?', exampleOther: 'Ein beliebiges B',
        tokens: 'Stücke', tokensHint: 'Jedes Wort wird in Stücke zerlegt, die das Modell kennt; ## setzt ein Wort fort. Die Zahl ist die Nummer des Stücks.',
        hide: '„{word}“ verdecken', show: '„{word}“ wieder zeigen', special: '{piece}, vom Tokenizer eingesetzt',
        segment: 'Segment {n}',
        fits: 'Was passt bei {piece}, Token {n}', hiddenWord: 'Das verdeckte Wort „{word}“ ist der {rank}. Vorschlag, mit {p}.',
        noMask: 'Klicken Sie auf ein Wort, um es zu verdecken, oder schreiben Sie [MASK].', noMlm: 'Dieses Modell hat keinen Kopf, der Wörter errät.',
        nextQuestion: 'Folgt der zweite Satz auf den ersten?', yes: 'ja, er folgt', no: 'nein, er ist von anderswo', noNext: 'Dieses Modell hat keinen Kopf für diese Frage.', noSecond: 'Mit einem zweiten Satz erscheint hier die Antwort.',
        guess: 'Stück', probability: 'Wahrscheinlichkeit',

        stepsTitle: 'Hineinsehen: sechzehn Schritte', stepsLead: 'Von Buchstaben zur Antwort, mit den Zahlen Ihres Satzes. Die Schritte 7 bis 13 gibt es in jeder Schicht.',
        modules: ['Tokenizer', 'Einbettung', 'Encoder', 'Aufgabenkopf'],
        step: 'Schritt {n}', previous: 'Schritt davor', next: 'Nächster Schritt', layer: 'Schicht', head: 'Kopf', token: 'Token', query: 'Blickendes Token',
        formula: 'Formel', shapes: 'Formen', why: 'Warum', trap: 'Eine Falle', code: 'Die Zeilen C', numbers: 'Die Zahlen als Tabelle', save: 'Als SVG speichern',
        ofFile: 'aus {file}', feature: 'Merkmal', value: 'Wert', stage: 'Stufe', result: 'Text', absent: 'nicht in diesem Modell',
        piece: 'Stück', id: 'Nummer', seg: 'Segment', mask: 'Maske', offset: 'Bytes', position: 'Position',
        stripWord: 'Wort', stripSegment: 'Segment', stripPosition: 'Position', stripSum: 'Summe', stripNorm: 'nach LayerNorm',
        stripQuery: 'Query', stripKey: 'Key', stripValue: 'Value', stripContext: 'Kontext', stripDense: 'dicht', stripResidual: 'Residuum x', stripOut: 'Hidden State', stripBefore: 'vor GELU', stripAfter: 'nach GELU', stripFirst: 'Zeile von [CLS]', stripPooled: 'nach tanh',
        mean: 'Mittel {mean}, Streuung {deviation}',
        pictureStrips: 'Die {n} Zahlen von „{token}“, ein Streifen für jede: {low} ist blau, {high} ist orange, 0 liegt dazwischen.',
        pictureHead: '{what} von Kopf {head}: eine Zeile je Token, {n} Spalten.',
        pictureMap: '{what}, Schicht {layer}, Kopf {head}: Zeile blickt auf Spalte.',
        pictureAll: 'Alle {n} Köpfe: eine Zeile je Schicht, eine Spalte je Kopf. Wählen Sie einen.',
        pictureArcs: 'Wohin „{token}“ blickt, Schicht {layer}, Kopf {head}: je dicker der Bogen, desto mehr.',
        pictureGelu: '{positive} von {n} Zahlen bleiben nach GELU über 0,01.',
        pictureChange: 'Wie weit jedes Token in jeder Schicht wandert: 1 - Kosinus der Hidden States l und l+1.',
        pictureCosines: 'Kosinus aller Tokens miteinander in Hidden State {layer}: 1 ist dieselbe Richtung.',
        scores: 'Werte', probs: 'Wahrscheinlichkeiten', hidden: 'Hidden State {n}', top: 'Am meisten angesehen',
        share: 'Anteil', cosine: 'Kosinus', state: 'Hidden State', length: 'Länge',

        banksTitle: 'Ein Wort, zwei Bedeutungen', banksLead: 'Vor der ersten Schicht unterscheiden sich zwei gleiche Wörter nur durch ihren Ort. Schicht für Schicht kommt der Zusammenhang hinzu, und ihre Vektoren trennen sich.',
        banksNone: 'Schreiben Sie einen Satz, in dem ein Wort mehr als einmal vorkommt.', banksButton: 'Den Satz mit drei bank nehmen',
        banksOther: '„{word}“ mit seinesgleichen in einem anderen Satz vergleichen', banksCompare: 'Vergleichen', banksMissing: 'Der andere Satz hat das Stück „{word}“ nicht.', banksWord: 'Wort', here: 'hier', there: 'dort',
        banksOtherText: 'They sat on the bank of the river and looked at the water.',
        pictureElsewhere: 'Kosinus von „{word}“ hier mit „{word}“ im anderen Satz, in jedem Hidden State.',
        pictureBanks: 'Kosinus von „{word}“ an zwei Stellen, in jedem Hidden State. 1 ist dieselbe Richtung.',
        pair: '{word}, Tokens {i} und {j}',

        breakTitle: 'Kaputt machen', breakLead: 'Fehler, die wirkliche Programme gemacht haben, ein Schalter für jeden; abgeschaltete Köpfe; ein weggenommenes Wort. Vorher und nachher stehen nebeneinander.',
        mistake: 'Ein bekannter Fehler', none: 'keiner', more: 'Alle bekannten Fehler',
        headsOff: 'Abgeschaltete Köpfe', headsHint: 'Schicht {l}, Kopf {h}', allOn: 'Alle einschalten', away: 'Weggenommene Wörter', awayHint: 'Auf ein weggenommenes Wort darf niemand blicken.',
        before: 'Vorher', after: 'Nachher', change: 'Änderung', first: 'Die erste Zahl, die abweicht, ist in {name}.', equal: 'Nichts weicht ab: jede Zahl ist dieselbe.',
        nothing: 'Bei diesem Text ändert der Fehler nichts.', resetAll: 'Alles zurücknehmen',
        pictureDifference: 'Wie weit jeder Tensor vom richtigen entfernt ist, in der Reihenfolge der Daten (relatives quadratisches Mittel).', tensor: 'Tensor', difference: 'Abweichung',
        asIs: 'Schalten Sie etwas um, und hier erscheint der Unterschied.',
        mistakes: {
            'no-scale': 'Werte werden nicht durch die Wurzel von D geteilt', 'gelu-tanh': 'GELU in der Näherung mit tanh', 'no-activation': 'Gar keine Aktivierung',
            'segments-ignored': 'Segmente werden übergangen', 'positions-missing': 'Positionen fehlen', 'positions-plus-one': 'Positionen zählen ab 1',
            'pre-norm': 'LayerNorm kommt zuerst (pre-LN)', 'attention-no-residual': 'Attention ohne Residuum', 'softmax-queries': 'Softmax über die falsche Achse',
            'query-key-swapped': 'Query und Key sind vertauscht', 'heads-reshaped': 'Köpfe falsch geteilt', 'mask-ignored': 'Die Maske wird übergangen',
            'norm-unbiased': 'LayerNorm teilt durch H - 1', 'decoder-no-transform': 'Dem Decoder fehlt die Umformung', 'nsp-swapped': 'IsNext und NotNext sind vertauscht',
        },

        learnTitle: 'Beim Lernen zusehen', learnLead: 'Ein Lernschritt: raten, den Fehler messen, rückwärts durch alle sechzehn Schritte gehen, jede Zahl ein wenig verschieben. Hier geschieht es mit Ihrem Satz; das Modell der Seite bleibt, wie es war.',
        learnStart: 'Diesen Satz lernen', learnStop: 'Anhalten', learnNeeds: 'Verdecken Sie erst mindestens ein Wort des Satzes: gelernt wird, was verdeckt ist.',
        learnStep: 'Schritt', loss: 'Fehler (Loss)', pictureLoss: 'Der Loss nach jedem Schritt: die Überraschung bei den verdeckten Wörtern, -ln p.', learnP: 'p(„{word}“)', learnForget: 'Gelerntes vergessen',
        learnTold: 'Nach {n} Schritten gibt das Modell „{word}“ {p} (am Anfang {p0}).', learnWhy: 'Es lernt diesen einen Satz auswendig. Verstehen ist das nicht: ein wirkliches Training zeigt ihm Millionen verschiedener Sätze.',
        growthTitle: 'Wie es dazu kam', growthLead: 'Das Modell dieser Seite hat auf einem Prozessorkern aus einfachem englischem Text gelernt: Sätze mit verdeckten Wörtern, und Satzpaare, von denen die Hälfte zusammengehört. Hier steht, wie gut es dabei riet und was es unterwegs sagte.',
        growthWords: 'verdeckte Wörter geraten', growthNext: 'Paare beurteilt', pictureGrowth: 'Anteil richtiger Antworten über den Lernschritten. Paare: 0,5 ist ein Münzwurf. Wörter: 0,04 hat, wer immer das häufigste nennt.',
        growthStages: 'Nach so vielen Schritten', growthSentence: 'Satz', growthGuesses: 'Was es nach {n} Schritten am ehesten einsetzt in {text}', growthBank: 'Bank robber und bank vault: Kosinus {same}. Bank robber und river bank: {other}. Je weiter auseinander, desto besser trennt es die Bedeutungen.',

        modelTitle: 'Ihr eigenes Modell', modelLead: 'Legen Sie hier ein Verzeichnis mit config.json, vocab.txt oder tokenizer.json und safetensors ab (BERT in jeder Größe, auch bert-base-uncased). Es wird von den Lesern des Programms gelesen und bleibt auf Ihrem Rechner.',
        modelChoose: 'Ein Verzeichnis wählen', modelBack: 'Zurück zum Modell dieser Seite', modelReading: '{name} wird gelesen ...', modelDrop: 'Hier ablegen',

        takeTitle: 'Mitnehmen', takeLink: 'Einen Link auf diese Ansicht kopieren', takeCopied: 'Kopiert.', takeJson: 'Spur als JSON', takeSafe: 'Spur als safetensors', takeBertviz: 'Attention für bertviz',
        takeWhy: 'Der Link enthält Text und Ansicht; er gilt überall, wo diese Datei liegt. Die Spur hat jeden Zwischenwert unter den Namen von Hugging Face: so finden ihn NumPy, bert verify und Hooks in PyTorch.',
        foot: 'bert.c {version}: BERT von Grund auf in C. Diese Seite ist dasselbe C, übersetzt nach WebAssembly.',

        steps: [
            { name: 'Reinigen', what: 'Was man auf viele Arten schreiben kann, wird eines.', why: 'Das Modell hat einen Vektor für „cafe“ und keinen für „Café“ (wenn es nur Kleinbuchstaben kennt).', formula: 'Unsichtbares löschen; uncased: keine Akzente, keine Großbuchstaben', trap: 'Die Reihenfolge zählt; ein Modell mit Großbuchstaben behält auch die Akzente.' },
            { name: 'Teilen', what: 'Stücke reichen nie über Wörter hinaus: ein Leerzeichen beendet ein Wort, ein Satzzeichen ist ein Wort für sich.', why: 'Wie viele Leerzeichen da waren, geht verloren; nur die Bytes erinnern sich.', formula: 'Text → Wörter', trap: '$, + und ~ teilen ein Wort, Euro- und Gradzeichen nicht.' },
            { name: 'WordPiece', what: 'Ein festes Vokabular genügt für jedes Wort: das längste Stück, das passt, dann das längste ##Stück, und so weiter.', why: 'Seltene Wörter entstehen aus Stücken häufiger.', formula: 'Wörter → Stücke', trap: 'Ein Teil ohne Stück macht das ganze Wort zu [UNK].' },
            { name: 'Nummern, Segmente, Maske', what: 'Diese Zahlen sind alles, was das Modell vom Text sieht.', why: '[CLS] eröffnet den Text und trägt später die Antwort über das Ganze; [SEP] beendet jeden Satz.', formula: '[CLS] A [SEP]   oder   [CLS] A [SEP] B [SEP]', trap: 'Ein einzelner Text ist Segment 0. Füllung steht am Ende, mit Maske 0.' },
            { name: 'Drei Einbettungen summiert', what: 'Was das Token ist, in welchem Text es steht und wo: drei Zeilen gelernter Zahlen, addiert.', why: 'Ohne die dritte ginge die Reihenfolge der Wörter verloren.', formula: 'x_t = wort[id_t] + segment[typ_t] + position[t]', trap: 'Positionen zählen ab 0 und sind eine gelernte Tabelle, keine Sinuskurven.' },
            { name: 'LayerNorm', what: 'Jede Zeile bekommt Mittel 0 und Varianz 1 und wird dann mit gelernten Zahlen gestreckt.', why: 'So bleiben die Zahlen in einem Bereich. Das ist Hidden State 0: noch weiß kein Token von einem anderen.', formula: 'h = (x - mittel) / sqrt(varianz + eps) * gamma + beta', trap: 'Die Varianz wird durch H geteilt, nicht durch H - 1; eps steht unter der Wurzel.' },
            { name: 'Query, Key, Value', what: 'Was ein Token sucht, was es anbietet, was es weitergibt.', why: 'Jeder Kopf hat seinen eigenen Teil der Spalten und kann etwas anderes suchen.', formula: 'q = x Wq^T + bq   k = x Wk^T + bk   v = x Wv^T + bv', trap: 'Köpfe sind Abschnitte: nach (N,A,D) umformen, nie nach (N,D,A).' },
            { name: 'Werte (Scores)', what: 'Wie gern Token i auf Token j blicken will.', why: 'Ohne die Teilung gäbe Softmax fast alles einem Token.', formula: 'score_ij = q_i · k_j / sqrt(D)', trap: 'Die Maske gehört zu den Keys, den Spalten. BERT hat keine kausale Maske: es blickt nach beiden Seiten.' },
            { name: 'Softmax', what: 'Jede Zeile wird zu Gewichten mit Summe 1: wohin Token i blickt.', why: 'Jeder Kopf blickt für sich. Wählen Sie andere Köpfe: manche blicken auf das nächste Wort, manche auf Kommas, manche auf den Sinn.', formula: 'p_ij = e^score_ij / Summe über k von e^score_ik', trap: 'Zeilen haben Summe 1, Spalten nicht.' },
            { name: 'Kontext', what: 'Das gewichtete Mittel der Values aller Tokens.', why: 'Hier, und nirgends sonst, erreicht der Inhalt eines Tokens ein anderes.', formula: 'kontext_i = Summe über j von p_ij v_j', trap: 'Die Köpfe stehen wieder nebeneinander, jeder in seinen Spalten.' },
            { name: 'Dicht, Residuum, LayerNorm', what: 'Die Köpfe werden gemischt und zu dem addiert, was das Token vorher war.', why: 'So muss ein Block nur lernen, was zu ändern ist.', formula: 'y = LayerNorm(x + kontext Wo^T + bo)', trap: 'Post-LN: erst die Summe, dann LayerNorm. Viele spätere Modelle machen es umgekehrt.' },
            { name: 'Feed-forward hinauf, GELU', what: 'Jedes Token für sich: eine breite Schicht, dann eine Kurve.', why: 'GELU lässt große Zahlen durch und macht negative fast zu 0. Ohne Kurve könnten zwei Schichten nicht mehr als eine.', formula: 'z = GELU(y W1^T + b1)', trap: 'Es gibt zwei GELUs, mit erf und mit tanh; sie weichen bis zu 0,0005 voneinander ab.' },
            { name: 'Feed-forward hinab, Residuum, LayerNorm', what: 'Zurück zur Breite eines Hidden State, addiert zu y.', why: 'Die Summe wird normiert: das ist der Hidden State, den die nächste Schicht bekommt.', formula: 'out = LayerNorm(y + z W2^T + b2)', trap: 'Das Residuum ist y, das Ergebnis von Schritt 11, nicht die Eingabe der Schicht.' },
            { name: 'Pooler, nächster Satz', what: 'Ein Vektor für eine Frage: folgt B auf A?', why: 'Er entsteht aus der Zeile von [CLS], die auf alles geblickt hat.', formula: 'pooled = tanh(h_0 Wp^T + bp)   logits = pooled W^T + b', trap: 'Label 0 ist IsNext; nichts in den Gewichten sagt es.' },
            { name: 'Das Wort erraten', what: 'Ein Wert für jedes Stück des Vokabulars: was passt hier?', why: 'E ist die Tabelle der Wort-Einbettungen, ein zweites Mal benutzt. Wählen Sie ein Token: BERT rät auch, wo nichts verdeckt ist.', formula: 't = LayerNorm(GELU(h W^T + b))   p = softmax(t E^T + c)', trap: 'Vor dem Decoder kommen eine dichte Schicht, GELU und LayerNorm.' },
            { name: 'Vektoren und Kosinus', what: 'Dasselbe Wort bekommt in anderem Zusammenhang einen anderen Vektor.', why: 'Dafür war all das da.', formula: 'cos(a, b) = a · b / (|a| |b|)', trap: 'Es gibt L + 1 Hidden States: 0 sind die Einbettungen, L ist das Ergebnis der letzten Schicht.' },
        ],
    },
};

let language = 'en';
export function setLanguage(name) { language = STRINGS[name] ? name : 'en'; }
export function getLanguage() { return language; }

/* The text of a key, `a.b` for a table within; {name} replaced. */
export function t(key, values = {}) {
    const text = key.split('.').reduce((table, part) => table[part], STRINGS[language]);
    return typeof text === 'string' ? text.replace(/\{(\w+)\}/g, (all, name) => name in values ? values[name] : all) : text;
}

/* A number as a reader of this language writes it. */
export function number(x, digits = 3) {
    if (!Number.isFinite(x)) return String(x);
    if (x < -1e30) return '-∞';
    return x.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
export function percent(p) {
    return (p * 100).toLocaleString(language, { maximumFractionDigits: p < 0.01 ? 2 : 1 }) + ' %';
}
