/**
 * Parts that common passwords are made of. No collection of leaked passwords has thousands of 15 characters and more, so what is
 * refused is derived from these: each part alone, repeated, and every two of them joined, with or without digits or marks behind.
 */
const PARTS = `
123 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 012345678 9876543210 987654321 87654321 7654321 654321 54321 4321 321
111 1111 11111 111111 1111111 11111111 000 0000 00000 000000 00000000 222222 333333 444444 555555 666666 696969 777777 7777777 888888 88888888 999999
121212 123123 123321 112233 11223344 1122334455 159753 147258369 741852963 789456123 123654789 101010 131313 112358
abc abcd abcde abcdef abcdefg abcdefgh abc123 abcd1234 abcdefghijklmnopqrstuvwxyz aaaaaa asdf asdfg asdfgh asdfghj asdfghjk asdfghjkl asdfasdf
qwer qwert qwerty qwertyu qwertyui qwertyuiop qwerty123 qwer1234 qwerasdf qwertz qwertzuiop azerty azertyuiop zxcv zxcvb zxcvbn zxcvbnm poiuytrewq lkjhgfdsa mnbvcxz ytrewq
1q2w3e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y q1w2e3 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 1qaz 2wsx 3edc 4rfv 5tgb 1qaz2wsx 1qaz2wsx3edc qaz wsx edc rfv tgb qazwsx qazwsxedc qazwsxedcrfv zaq1 zaq12wsx zaq1zaq1 zaqwsx 1qazxsw2 xsw2 cde3
password passw0rd p@ssword p@ssw0rd pa55word passwd pass passphrase passcode password1 password12 password123 password1234 passwort motdepasse contrasena contraseña senha parola wachtwoord haslo heslo parool salasana mypassword newpassword thepassword yourpassword
admin administrator root user username guest login logon signin welcome welcome1 letmein letmeinnow changeme change secret topsecret default test testing tester test123 temp temporary demo sample example access open opensesame sesame
master superuser super supervisor manager system server service support office company computer laptop internet network windows microsoft google facebook twitter youtube apple samsung android iphone oracle database backup security secure private mysecret nothing whatever something anything everything
iloveyou ilovu iloveu iloveme loveyou loveme love lovely lover lovers iloveyou1 iloveyou2 ihateyou mylove trustno1 trustnoone fuckyou fuckoff fuckme asshole bullshit biteme blowme bitch
monkey dragon tiger lion eagle falcon panther shark dolphin horse kitty kitten cat dog puppy doggie bear wolf turtle spider rabbit butterfly phoenix unicorn
football baseball basketball soccer hockey golf tennis cricket rugby volleyball liverpool arsenal chelsea barcelona realmadrid juventus manchester manutd celtic rangers lakers yankees cowboys steelers eagles packers
sunshine moonlight sunflower flower rainbow summer winter spring autumn january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday
princess prince queen king angel angels babygirl baby babyboy sweetheart sweety honey sugar cookie chocolate banana orange cherry strawberry peanut pepper cheese coffee ginger
superman batman spiderman ironman pokemon pikachu naruto starwars startrek jedi matrix merlin gandalf harrypotter hello hello123 helloworld hellokitty goodluck lucky freedom forever friends friend family mother father mommy daddy brother sister
michael michelle jennifer jessica jordan jordan23 joshua daniel david robert thomas matthew andrew anthony charlie charles george william james john ashley amanda nicole samantha elizabeth maggie hannah hunter harley taylor tyler buster bailey maverick mustang corvette ferrari porsche mercedes toyota
shadow ninja killer hacker gangster player gamer gaming minecraft fortnite roblox warcraft counterstrike computer1 diamond silver golden money dollar cash rich thunder lightning storm fire blaze metallica slipknot nirvana eminem guitar music
correct horse battery staple correcthorse batterystaple correcthorsebatterystaple thisismypassword thisisapassword passwordispassword iamtheking itsasecret donttellanyone jesus jesuschrist jesus1 christ god blessed heaven faith
`
  .trim()
  .split(/\s+/);

const parts = new Set(PARTS);
/** What is put behind to please rules of composition. */
const TAIL = /^[\d!@#$%^&*.?_+=-]{0,6}$/;
const SEPARATOR = /^[ ._-]?/;

/** Whether nothing but a common part, one part repeated, or two parts joined, makes up the whole password; capitals and a short tail do not help. */
export function isCommonPassword(password: string): boolean {
  const text = password.toLowerCase();
  if (isRepeated(text)) return true;
  for (let end = 2; end <= text.length; end += 1) {
    if (!parts.has(text.slice(0, end))) continue;
    const rest = text.slice(end).replace(SEPARATOR, "");
    if (TAIL.test(rest)) return true;
    for (let second = 2; second <= rest.length; second += 1) {
      if (parts.has(rest.slice(0, second)) && TAIL.test(rest.slice(second))) return true;
    }
  }
  return false;
}

/** Whether a unit, a common part or up to four characters long, is all there is, over and over: `aaaa...`, `abcabc...`, `passwordpassword`. */
function isRepeated(text: string): boolean {
  for (let unit = 1; unit <= text.length / 2; unit += 1) {
    const start = text.slice(0, unit);
    if (unit > 4 && !parts.has(start)) continue;
    if (start.repeat(Math.ceil(text.length / unit)).startsWith(text)) return true;
  }
  return false;
}

/** How many passwords of `minLength` characters and more are refused, not counting repetitions and tails. */
export function countCommonPasswords(minLength: number): number {
  const found = new Set(PARTS.filter((part) => part.length >= minLength));
  for (const first of parts) for (const second of parts) if (first.length + second.length >= minLength) found.add(first + second);
  return found.size;
}
