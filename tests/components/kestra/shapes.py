"""shapes.py - what must stand in a flow for a reason of explained.yaml to hold.

A shape is asked with the flow and the id of the task a difference is about (None where it is about the whole execution).
"""

LOOPS = (".ForEach", ".EachSequential", ".EachParallel", ".Loop")
HANDLERS = ("errors", "finally")


class Task:
    """A task, and what is around it: (container, name of the list), outermost first; the flow itself is the first container."""

    def __init__(self, task, around):
        self.task, self.around = task, around

    def inside(self, *types):
        return any(str(box.get("type", "")).endswith(types) for box, _ in self.around)

    def in_handler(self):
        return any(name in HANDLERS for _, name in self.around)

    def retry(self):
        """(retry, where it stands): its own, the nearest around it, the flow's."""
        if "retry" in self.task:
            return self.task["retry"], self.task
        for box, _ in reversed(self.around):
            if "retry" in box:
                return box["retry"], box
        return None, None

    def inherits(self):
        """The containers between the task and the retry that it inherits, the one with the retry first; empty: it has none."""
        _, where = self.retry()
        if where is None or where is self.task:
            return []
        boxes = [box for box, _ in self.around]
        return boxes[next(i for i, box in enumerate(boxes) if box is where):]


def walk(box, around=()):
    lists = [(name, box[name]) for name in ("tasks", "then", "else", "defaults", "errors", "finally", "afterExecution") if isinstance(box.get(name), list)]
    lists += [("cases", case) for case in (box.get("cases") or {}).values()]
    for name, items in lists:
        for item in items:
            task = item["task"] if isinstance(item.get("task"), dict) else item  # of a Dag
            here = around + ((box, name),)
            yield Task(task, here)
            yield from walk(task, here)


def tasks_of(flow, identity=None):
    return [one for one in walk(flow) if identity is None or one.task["id"] == identity]


def is_flowable(task):
    return any(name in task for name in ("tasks", "then", "cases", "defaults"))


def retry_in_handler(flow, _):
    """A task of `errors` or `finally` is tried again: by its own retry, or by one that it inherits."""
    return any(one.in_handler() and one.retry()[0] for one in tasks_of(flow))


def inherited_retry_at_handlers(flow, _):
    """A retry is inherited past a level with `errors` or `finally`."""
    return any(name in box for one in tasks_of(flow) for box in one.inherits() for name in HANDLERS)


def retry_by_the_flow_and_finally(flow, _):
    return "retry" in flow and "finally" in flow


def retry_in_loop(flow, identity):
    """The task is tried again inside of a loop."""
    return any(one.inside(*LOOPS) and one.retry()[0] for one in tasks_of(flow, identity))


def retry_beside(flow, identity):
    """Some task of the loop that the task stands in is tried again."""
    loops = [box for one in tasks_of(flow, identity) for box, _ in one.around if str(box.get("type", "")).endswith(LOOPS)]
    return any(one.retry()[0] and any(box is loop for box, _ in one.around for loop in loops) for one in tasks_of(flow))


def loop_tries_again(flow, identity):
    """The task is a loop in which a task has a retry."""
    loops = [one.task for one in tasks_of(flow, identity) if one.task["type"].endswith(LOOPS)]
    return any(one.retry()[0] and any(box is loop for box, _ in one.around for loop in loops) for one in tasks_of(flow))


def retry_in_directory(flow, identity):
    return any(one.inside(".WorkingDirectory") and one.retry()[0] for one in tasks_of(flow, identity))


def handler_of_flow(flow, identity):
    """The task stands in the flow's own `errors`, and a handler elsewhere is tried again."""
    stands = any(one.around[0][1] == "errors" for one in tasks_of(flow, identity))
    return stands and any(one.in_handler() and one.around[0][1] != "errors" and one.retry()[0] for one in tasks_of(flow))


def skips_flowable(flow, identity):
    return any(is_flowable(one.task) and ("runIf" in one.task or "when" in one.task) for one in tasks_of(flow, identity))


def retried_before(flow, _):
    return any(one.retry()[0] for one in tasks_of(flow))


def waits_until(flow, identity):
    """The task is a LoopUntil or stands in one."""
    return any(one.task["type"].endswith(".LoopUntil") or one.inside(".LoopUntil") for one in tasks_of(flow, identity))


def loop_with_condition(flow, identity):
    return any(one.task["type"].endswith(".Loop") and ("runIf" in one.task or "when" in one.task) for one in tasks_of(flow, identity))


def may_fail_at_maximum(flow, identity):
    return any(one.task.get("failOnMaxReached") and one.task.get("allowFailure") for one in tasks_of(flow, identity))


def all_disabled_with_handlers(flow, identity):
    """A flowable whose tasks are all disabled and that has handlers: the task is that, stands in it, or around it."""
    def is_one(task):
        body = task.get("tasks") or task.get("then") or []
        body = [item.get("task", item) if isinstance(item.get("task"), dict) else item for item in body]
        return bool(body) and all(item.get("disabled") for item in body) and any(name in task for name in HANDLERS)

    empty = [one for one in tasks_of(flow) if is_one(one.task)]
    if identity is None:
        return bool(empty)
    for one in tasks_of(flow, identity):
        if is_one(one.task) or any(is_one(box) for box, _ in one.around):
            return True
    return any(box.get("id") == identity for one in empty for box, _ in one.around)


def disabled_finally(flow, _):
    """A `finally` in which all tasks are disabled."""
    boxes = [flow] + [one.task for one in tasks_of(flow)]
    return any(box.get("finally") and all(task.get("disabled") for task in box["finally"]) for box in boxes)


def allows_nothing(flow, _):
    """An AllowFailure in which all tasks are disabled."""
    found = [one.task for one in tasks_of(flow) if one.task["type"].endswith(".AllowFailure")]
    return any(all(task.get("disabled") for task in box["tasks"]) for box in found)


def empty_loop(flow, identity):
    return any(one.task["type"].endswith(".Loop") for one in tasks_of(flow, identity))


def gives_files(flow, identity):
    return any("outputFiles" in one.task for one in tasks_of(flow, identity))


def tried_again(flow, identity):
    """The task has a retry, of its own or one that it inherits."""
    return any(one.retry()[0] for one in tasks_of(flow, identity))


def anything(_, __):
    return True


def acted_in_flowable(flow, _):
    """What is acted on stands in a flowable, with a task behind it that could begin."""
    return any(one.task["id"] == "gate" and len(one.around) > 1 for one in tasks_of(flow))


def loop_in_loop(flow, _):
    return any(one.task["type"].endswith(LOOPS) and one.inside(*LOOPS) for one in tasks_of(flow))


def below_a_handler(flow, identity):
    """The task stands in a flowable of `errors` or `finally`, not in that list itself."""
    return any(name in HANDLERS for one in tasks_of(flow, identity) for _, name in one.around[:-1])


def tolerated(flow, _):
    """What is acted on fails in a flowable that may."""
    gates = [one for one in tasks_of(flow) if one.task["id"] == "gate"]
    return any(box.get("allowFailure") or str(box.get("type", "")).endswith(".AllowFailure") for one in gates for box, _ in one.around)


def allowed_switch_with_finally(flow, identity):
    """A Switch without defaults that may fail and has a `finally`: where nothing matches, no task of it runs."""
    return any(str(one.task.get("type", "")).endswith(".Switch") and "defaults" not in one.task and "finally" in one.task and one.task.get("allowFailure")
               for one in tasks_of(flow, identity))


def holds(name, flow, identity):
    """A name, or several of which one must hold."""
    names = name if isinstance(name, list) else [name]
    return any(globals()[one](flow, identity) for one in names)
