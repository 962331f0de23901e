-- default of input 'count'
-- constant 3

-- output 'result'
local rt = ...
return function()
  return rt.object(rt.get(rt.get(rt.root("outputs", 1), "constant", 2), "value", 3))
end

-- properties of 'log'
local rt = ...
return function()
  return rt.map(1, "message", rt.list(2, rt.object(rt.text("Hello ", rt.get(rt.root("inputs", 4), "name", 5)), " ", rt.get(rt.root("vars", 6), "plain", 7)), "second"))
end

-- runIf of 'log'
local rt = ...
return function()
  return rt.condition(rt.text(rt.gt(rt.get(rt.root("inputs", 8), "count", 9), 2, 10)))
end

-- properties of 'fetch'
local rt = ...
return function()
  return rt.map(4, "uri", rt.text("https://example.com/", rt.get(rt.root("inputs", 11), "name", 12)), "method", "POST", "headers", rt.map(2, "X-Count", rt.object(rt.get(rt.root("inputs", 13), "count", 14)), rt.text(rt.get(rt.root("inputs", 15), "name", 16)), "fixed"), "options", rt.map(2, "connectTimeout", "PT3S", "allowFailed", rt.convert(rt.object(rt.eq(rt.get(rt.root("inputs", 17), "count", 18), 1, 19)), "bool", "options.allowFailed", 20)))
end

-- properties of 'shell'
local rt = ...
return function()
  return rt.map(2, "env", rt.map(1, "TOKEN", rt.object(rt.func.secret(21, "TOKEN"))), "commands", rt.list(2, rt.object("echo ", rt.add(1, 2, 22)), rt.object("curl ", rt.get(rt.get(rt.root("outputs", 23), "fetch", 24), "body", 25))))
end

-- properties of 'constant'
-- constant {"format":"a-b"}

