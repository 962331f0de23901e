# layers.cmake - the modules from left to right, what each may include, and which foreign headers it owns.
#
# The build takes its link lines from here and tests/architecture/layers.py takes its rules, so the two cannot disagree.
#   layer(SIDE NAME [SMALL] [USES module...] [LIBS library...])     USES names modules of the same side or shared ones; SMALL: size before speed
# A library is a pkg-config name, or `dl` for one that is opened on first use.

layer(runtime base     LIBS libsodium)
layer(runtime value    USES base LIBS yaml-0.1 libpcre2-8)
layer(runtime leaf     USES base value LIBS lua5.4)
layer(runtime artifact USES base value)

layer(runtime log      USES base value)
layer(runtime loop     USES base LIBS libuv)
layer(runtime proc     USES base loop)
layer(runtime net      USES base value loop LIBS dl-curl)
layer(runtime secret   SMALL USES base value)
layer(runtime store    USES base value LIBS sqlite3)
layer(runtime host     USES base value leaf artifact log loop proc net secret store LIBS lua5.4)
layer(runtime engine   USES base value artifact)
layer(runtime run      USES base value leaf artifact log loop proc net secret store host engine)
layer(runtime trigger  USES base value leaf artifact log loop proc net secret store host engine run)
layer(runtime serve    USES base value leaf artifact log loop proc net secret store host engine run trigger)
layer(runtime cli      SMALL USES base value leaf artifact log loop proc net secret store host engine run trigger serve)

layer(compiler source  USES base value)
layer(compiler diag    USES base value source)
layer(compiler syntax  USES base value source diag LIBS yaml-0.1)
layer(compiler type    USES base value source diag syntax)
layer(compiler catalog USES base value source diag syntax type)
layer(compiler expr    USES base value source diag syntax type catalog LIBS tree-sitter)
layer(compiler flow    USES base value source diag syntax type catalog expr)
layer(compiler check   USES base value leaf source diag syntax type catalog expr flow)
layer(compiler rules   USES base value leaf source diag syntax type catalog expr flow check)
layer(compiler embed   USES base value source diag syntax type catalog expr flow)
layer(compiler plan    USES base value leaf artifact source diag syntax type catalog expr flow check rules)
layer(compiler emit    USES base value leaf artifact source diag syntax type catalog expr flow check rules plan)
layer(compiler session USES base value leaf artifact source diag syntax type catalog expr flow check rules plan emit embed)
layer(compiler cli     USES base value leaf artifact source diag syntax type catalog expr flow check rules plan emit embed session)
layer(compiler lsp     USES base value leaf artifact source diag syntax type catalog expr flow check rules plan emit embed session)
