// grammar.js - the inside of one `{{ … }}` or `{% … %}`: expressions and statements.
//
// The splitter (split.c) finds the pieces and hands over each by itself, with its opening braces and
// without dashes and closing braces; so there is no text in here and no external scanner. Reserved
// words are lexed as names where no operator can stand; ast.c refuses them.
//
// Operators are one flat rule with the precedences of the language, so that an operator may follow a
// filter or a test directly and then takes all that stands to its left, as in the reference.
// parser.c, grammar.json and node-types.json are generated from this file: tests/grammar/README.md.

const PREC = {
  ternary: 1,
  or: 10,
  and: 15,
  test: 20,
  compare: 30,
  add: 40,
  multiply: 60,
  filter: 100,
  concat: 110,
  coalesce: 120,
  unary: 500,
};

const BINARY = [
  [PREC.or, ['or']],
  [PREC.and, ['and']],
  [PREC.test, ['contains']],
  [PREC.compare, ['==', 'equals', '!=', '<', '>', '<=', '>=']],
  [PREC.add, ['+', '-']],
  [PREC.multiply, ['*', '/', '%']],
  [PREC.concat, ['~']],
  [PREC.coalesce, ['..', '??', '???', 'isIn']],
];

const list = (rule) => optional(seq(rule, repeat(seq(',', rule))));
const list1 = (rule) => seq(rule, repeat(seq(',', rule)));

module.exports = grammar({
  name: 'flow_template',

  extras: () => [/[\s\uFEFF\u00A0\u0085\u2028\u2029]/],
  word: ($) => $.name,

  rules: {
    piece: ($) => choice(seq('{{', $._expression), seq('{%', $._statement)),

    // --- statements -----------------------------------------------------------------------------

    _statement: ($) =>
      choice(
        $.if,
        $.elseif,
        $.else,
        $.endif,
        $.for,
        $.endfor,
        $.set,
        $.macro,
        $.endmacro,
        $.block,
        $.endblock,
        $.filter_tag,
        $.endfilter,
      ),

    if: ($) => seq('if', field('condition', $._expression)),
    elseif: ($) => seq('elseif', field('condition', $._expression)),
    else: () => 'else',
    endif: () => 'endif',
    for: ($) => seq('for', field('name', $.name), 'in', field('value', $._expression)),
    endfor: () => 'endfor',
    set: ($) => seq('set', field('name', $.name), '=', field('value', $._expression)),
    macro: ($) => seq('macro', field('name', $.name), '(', list(field('param', $.param)), ')'),
    param: ($) => seq(field('name', $.name), optional(seq('=', field('default', $._expression)))),
    endmacro: () => 'endmacro',
    block: ($) => seq('block', field('name', choice($.name, $.string))),
    endblock: ($) => seq('endblock', optional(field('name', choice($.name, $.string)))),
    filter_tag: ($) => seq('filter', $.filter_call, repeat(seq('|', $.filter_call))),
    filter_call: ($) => seq(field('name', $.name), optional($._arguments)),
    endfilter: () => 'endfilter',

    // --- expressions ----------------------------------------------------------------------------

    _expression: ($) => choice($.ternary, $._operation),

    ternary: ($) =>
      prec.right(PREC.ternary, seq($._operation, '?', $._expression, ':', $._expression)),

    _operation: ($) =>
      choice($.binary, $.filter, $.test, $.unary, $.list, $.map, $._primary),

    binary: ($) =>
      choice(
        ...BINARY.map(([level, operators]) =>
          prec.left(
            level,
            seq($._operation, field('operator', operators.length > 1 ? choice(...operators) : operators[0]), $._operation),
          ),
        ),
      ),

    filter: ($) =>
      prec.left(
        PREC.filter,
        seq($._operation, '|', field('name', $.name), optional($._arguments)),
      ),

    test: ($) =>
      prec.left(
        PREC.test,
        seq($._operation, 'is', optional('not'), field('name', $.name), optional($._arguments)),
      ),

    unary: ($) => prec(PREC.unary, seq(field('operator', choice('not', '+', '-')), $._operation)),

    list: ($) => seq('[', list($._expression), ']'),
    map: ($) => seq('{', list($._entry), '}'),
    _entry: ($) => seq($._expression, ':', $._expression),

    _primary: ($) =>
      choice(
        $.parenthesised,
        $.integer,
        $.float,
        $.string,
        $.interpolation,
        $.true,
        $.false,
        $.null,
        $.call,
        $.variable,
        $.member,
        $.method,
        $.index,
      ),

    parenthesised: ($) => seq('(', $._expression, ')'),
    variable: ($) => $.name,
    call: ($) => seq(field('name', $.name), $._arguments),
    member: ($) => seq($._primary, '.', field('name', $.name)),
    method: ($) => seq($._primary, '.', field('name', $.name), $._positional),
    index: ($) => seq($._primary, '[', $._expression, ']'),

    _arguments: ($) => seq('(', list($.argument), ')'),
    argument: ($) => seq(optional(seq(field('name', $.name), '=')), field('value', $._expression)),
    _positional: ($) => seq('(', list($._expression), ')'),

    true: () => choice('true', 'TRUE'),
    false: () => choice('false', 'FALSE'),
    null: () => choice('null', 'NULL', 'none', 'NONE'),

    name: () => /[\p{L}_][\p{L}\p{Nd}_]*/,
    integer: () => /[0-9]+L?/,
    float: () => /[0-9]+\.[0-9]+/,

    // A backslash hides the quote behind it and stays otherwise; text.c takes it away.
    string: () => token(choice(/'([^'\\]|\\[\s\S])*'/, /"([^"\\#]|\\[^#])*"/)),
    interpolation: ($) =>
      seq('"', repeat(choice($.chars, $.inserted)), token.immediate('"')),
    chars: () => token.immediate(prec(1, /([^"\\#]|\\[\s\S])+|#/)),
    inserted: ($) => seq(token.immediate(prec(2, '#{')), $._expression, '}'),
  },
});
