import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { parseAddressList } from '../../../src/mail/parse/address-list.ts'
import { DefectLog } from '../../../src/mail/parse/defects.ts'

const read = (...raws: string[]): { addresses: string[]; defects: string[] } => {
  const defects = new DefectLog()
  const latin1 = raws.map((raw) => Buffer.from(raw).toString('latin1'))
  const addresses = parseAddressList(latin1, 100, defects).map(({ name, address }) => `${name ?? ''}|${address}`)
  return { addresses, defects: defects.list() }
}

const reads = (raw: string, ...addresses: string[]): void =>
  assert.deepEqual(read(raw), { addresses, defects: [] }, raw)
const recovers = (raw: string, ...addresses: string[]): void =>
  assert.deepEqual(read(raw), { addresses, defects: ['address list: malformed; its addresses were recovered'] }, raw)

describe('an address list', () => {
  it('is read as RFC 5322 appendix A shows', () => {
    reads('John Doe <jdoe@machine.example>', 'John Doe|jdoe@machine.example')
    reads('"Joe Q. Public" <john.q.public@example.com>', 'Joe Q. Public|john.q.public@example.com')
    reads(
      'Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>',
      'Mary Smith|mary@x.test',
      '|jdoe@example.org',
      'Who?|one@y.test',
    )
    reads(
      '<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
      '|boss@nil.test',
      'Giant; "Big" Box|sysservices@example.net',
    )
    reads(
      'A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;',
      'Ed Jones|c@a.test',
      '|joe@where.test',
      'John|jdoe@one.test',
    )
    reads('Undisclosed recipients:;')
    reads('Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>', 'Pete|pete@silly.test')
    reads(
      "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
      'Chris Jones|c@public.example',
      '|joe@example.org',
      'John|jdoe@one.test',
    )
    reads(
      'Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example',
      'Mary Smith|mary@example.net',
      '|jdoe@test.example',
    )
    reads('Joe Q. Public <john.q.public@example.com>', 'Joe Q. Public|john.q.public@example.com')
  })

  it('has groups that are never closed, whose name is no part of an address', () => {
    reads('Team: a@example.org, c@example.org', '|a@example.org', '|c@example.org')
    reads('mailto:bob@example.org', '|bob@example.org')
    reads('Re: Bob <bob@example.org>', 'Bob|bob@example.org')
    reads('Bob <mailto:bob@example.org>', 'Bob|mailto:bob@example.org')
    recovers('<undisclosed-recipients:;>')
  })

  it('has names in encoded words, in a comment or raw', () => {
    reads('=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>', 'Keith Moore|moore@cs.utk.edu')
    reads('=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>', 'Keld Jørn Simonsen|keld@dkuug.dk')
    reads('=?utf-8?Q?a=2C_b?= <x@y.z>, c@d.e', 'a, b|x@y.z', '|c@d.e')
    reads('nhm@example.net (Ned)', 'Ned|nhm@example.net')
    assert.deepEqual(read('Jürgen <j@example.org>').addresses, ['Jürgen|j@example.org'])
  })

  it('keeps a name that is the address: the mail says so', () => {
    reads('"a@b.example" <a@b.example>', 'a@b.example|a@b.example')
  })

  it('loses no recipient where it is broken', () => {
    recovers('a@x.test\r\n b@x.test', '|a@x.test', '|b@x.test')
    recovers('A <a@x.test> B <b@x.test>', 'A|a@x.test', 'B|b@x.test')
    recovers('A <a@x.test, b@x.test', 'A|a@x.test', '|b@x.test')
    recovers('a@x.test b@x.test c@x.test', '|a@x.test', '|b@x.test', '|c@x.test')
    recovers('a@x.test\r\n B <b@x.test>', '|a@x.test', 'B|b@x.test')
    reads('a@x.test; b@x.test', '|a@x.test', '|b@x.test')
    reads('john . doe @ example . com', '|john.doe@example.com')
    reads('"A <a@x.test>, b@x.test', 'A|a@x.test', '|b@x.test')
  })

  it('leaves out what is no address, and says so', () => {
    const defects = ['address list: an entry without an address was left out']
    assert.deepEqual(read('nobody, a@x.test'), { addresses: ['|a@x.test'], defects })
  })

  it('keeps an address that decodes to nothing as written', () => {
    assert.deepEqual(read('Ann <=?iso-2022-jp?B?GyRC?=>').addresses, ['Ann|=?iso-2022-jp?B?GyRC?='])
  })

  it('stops at its bound over all fields, and says so', () => {
    const defects = new DefectLog()
    assert.equal(parseAddressList(['a@b, c@d', 'e@f, g@h'], 3, defects).length, 3)
    assert.deepEqual(defects.list(), ['address list: more addresses than the bound; the rest was left out'])
  })
})
