-- Ansible: commands run one after the other in the same directory; a callback of ours puts out what
-- each host answered.
local script = use "lib.script"
local value = use "lib.value"

local FOLDER = ".flow-ansible/"

-- Printed at the end of each command: the results of all commands so far, as one marker.
local CALLBACK = [[
import json
import os
from datetime import datetime, timezone

from ansible.plugins.callback import CallbackBase

STATE = os.path.join(os.environ["WORKING_DIR"], ".flow-ansible", "results.json")


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "flow_outputs"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.plays, self.outputs = [], []

    def v2_playbook_on_play_start(self, play):
        self.plays.append({"name": play.get_name().strip() or "unnamed", "tasks": []})

    def v2_playbook_on_task_start(self, task, is_conditional):
        if not self.plays:
            self.plays.append({"name": "ad hoc", "tasks": []})
        name = task.get_name().strip() or task.action
        self.plays[-1]["tasks"].append({"uid": "play:%s|task:%s" % (self.plays[-1]["name"], name), "name": name,
                                        "startedAt": now(), "endedAt": now(), "hosts": []})

    def add(self, result, status):
        raw = {key: item for key, item in result._result.items() if not key.startswith("_ansible")}
        if result._result.get("_ansible_no_log"):
            raw = {"censored": True}
        raw = json.loads(json.dumps(raw, default=str))
        task = self.plays[-1]["tasks"][-1]
        task["endedAt"] = now()
        task["hosts"].append({"host": result._host.get_name(), "status": status, "result": raw})
        explicit = os.environ.get("FLOW_ANSIBLE_OUTPUTS") == "EXPLICIT"
        if not explicit:
            self.outputs.append(raw)
        elif result._task.action.split(".")[-1] == "kestra" and "outputs" in raw:
            self.outputs.append(raw["outputs"])

    def v2_runner_on_ok(self, result):
        self.add(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.add(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self.add(result, "unreachable")

    def v2_runner_on_skipped(self, result):
        self.add(result, "skipped")

    def v2_playbook_on_stats(self, stats):
        whole = {"outputs": [], "playbooks": []}
        if os.path.exists(STATE):
            with open(STATE) as file:
                whole = json.load(file)
        whole["outputs"] += self.outputs
        whole["playbooks"].append({"plays": self.plays})
        with open(STATE, "w") as file:
            json.dump(whole, file)
        print("\n::" + json.dumps({"outputs": whole}) + "::", flush=True)
]]

-- `kestra: {outputs: {…}}` in a playbook says what is put out.
local MODULE = [[
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

if __name__ == "__main__":
    module = AnsibleModule(argument_spec={"outputs": {"type": "dict", "required": True}}, supports_check_mode=True)
    module.exit_json(changed=False, outputs=module.params["outputs"])
]]

local function lines_of(props, host)
    local lines = {}
    if props.autoInstallPythonRequirements ~= false then
        lines[1] = "[ ! -f requirements.txt ] || pip install -q -r requirements.txt || exit $?"
    end
    if props.autoInstallGalaxyRequirements ~= false then
        lines[#lines + 1] =
            "[ ! -f requirements.yml ] || ansible-galaxy install -r requirements.yml || exit $?"
    end
    for _, command in ipairs(props.commands) do
        lines[#lines + 1] = host.join({ "(\n", command, "\n) || exit $?" })
    end
    return lines
end

local function run(props, host, last)
    local folder = host.workdir.path() .. "/" .. FOLDER
    local env = {
        ANSIBLE_CALLBACK_PLUGINS = folder .. "callback",
        ANSIBLE_CALLBACKS_ENABLED = "flow_outputs",
        ANSIBLE_LIBRARY = folder .. "library",
        ANSIBLE_NOCOLOR = "1",
        FLOW_ANSIBLE_OUTPUTS = props.outputsMode or "ALL",
    }
    if props.outputLogFile then env.ANSIBLE_LOG_PATH = host.workdir.path() .. "/log" end
    local keep = { [FOLDER .. "callback/flow_outputs.py"] = CALLBACK, [FOLDER .. "library/kestra.py"] = MODULE }
    local is_given = host.is_map(props.inputFiles) and props.inputFiles["ansible.cfg"] ~= nil
    if props.ansibleConfig ~= nil and not is_given then keep["ansible.cfg"] = props.ansibleConfig end
    return script.run(props, host, {
        commands = lines_of(props, host),
        interpreter = { "/bin/bash", "-c" },
        no_fail_fast = true,
        env = env,
        keep_files = keep,
        program = "ansible-playbook",
        image = "cytopia/ansible:latest-tools",
        collect = function(result)
            host.outputs({ playbooks = value.get(host, result.vars, "playbooks") or host.list({}) })
            if not props.outputLogFile or host.workdir.exists("log") == nil then return {} end
            local uri, message, class = host.storage.put({ file = "log", name = "log" })
            if uri == nil then return nil, message, class end
            return { log = uri }
        end,
    }, last)
end

return task {
    implements = "io.kestra.plugin.ansible.cli.AnsibleCLI",
    effects = { "exec" },
    idempotent = function() return "checkpoint" end,  -- a container is gone on with
    run = run,
    recover = run,
    plan = run,
    kill = script.kill,
}
