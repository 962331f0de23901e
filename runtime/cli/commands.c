// commands.c - the commands, in the order in which help lists them.
#include "cli/cli.h"

extern const CommandSpec command_run, command_plan, command_preflight, command_inspect,
    command_verify, command_list, command_show, command_logs, command_wait, command_resume,
    command_resolve, command_restart, command_replay, command_kill, command_pause, command_mark,
    command_force_run, command_label, command_install, command_remove, command_prune,
    command_doctor, command_task, command_manual, command_completion;

static const CommandSpec *const COMMANDS[] = {
    &command_run,     &command_plan,    &command_preflight, &command_inspect, &command_verify,
    &command_list,    &command_show,    &command_logs,      &command_wait,    &command_resume,
    &command_resolve, &command_restart, &command_replay,    &command_kill,    &command_pause,
    &command_mark,    &command_label,   &command_force_run, &command_install, &command_remove,
    &command_prune,   &command_doctor,  &command_task,      &command_manual,  &command_completion,
};

const CommandSpec *const *cli_commands(uint32_t *count) {
    *count = COUNT(COMMANDS);
    return COMMANDS;
}
