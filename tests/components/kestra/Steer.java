// Steer.java - what the front of the oracle lacks: resume, pause, restart and replay, by the same services as Kestra's own
// web server uses. Started instead of oracle.Oracle, which it starts; listens on STEER_PORT. Lines between //#if 2, //#else
// and //#endif are for one version only (oracle.py).
package oracle;

import com.fasterxml.jackson.databind.*;
import com.sun.net.httpserver.*;
import io.kestra.core.models.executions.*;
import io.kestra.core.models.flows.*;
import io.kestra.core.queues.*;
import io.kestra.core.repositories.*;
import io.kestra.core.runners.*;
import io.kestra.core.services.*;
import io.kestra.core.utils.IdUtils;
import io.kestra.plugin.core.flow.Pause;
import io.micronaut.core.type.Argument;
import java.io.*;
import java.net.InetSocketAddress;
import java.util.*;
import java.util.concurrent.Executors;

public class Steer {
    public static void main(String[] args) throws Exception {
        HttpServer http = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("STEER_PORT"))), 16);
        http.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        http.createContext("/", Steer::handle);
        http.start();
        Oracle.main(args);
    }

    // POST /{resume|pause|restart|replay}/{execution}, body {"task": id of a task run, "inputs": {name: text}}
    static void handle(HttpExchange x) throws IOException {
        int code = 200;
        Object out;
        try {
            String[] p = x.getRequestURI().getPath().split("/");
            Execution e = Oracle.bean(ExecutionRepositoryInterface.class).findById(Oracle.TENANT, p[2]).orElseThrow();
            out = Map.of("id", act(p[1], e, Oracle.JSON.readTree(x.getRequestBody().readAllBytes())));
        } catch (Throwable t) {
            t.printStackTrace();
            code = 422;
            out = Map.of("message", String.valueOf(t.getMessage()));
        }
        byte[] b = Oracle.JSON.writeValueAsBytes(out);
        x.sendResponseHeaders(code, b.length);
        try (OutputStream o = x.getResponseBody()) { o.write(b); }
    }

    @SuppressWarnings("unchecked")
    static String act(String what, Execution e, JsonNode body) throws Exception {
        FlowWithSource flow = Oracle.bean(FlowRepositoryInterface.class).findByIdWithSource(Oracle.TENANT, e.getNamespace(), e.getFlowId()).orElseThrow();
        Map<String, Object> given = body.hasNonNull("inputs") ? Oracle.JSON.convertValue(body.get("inputs"), Map.class) : null;
        String task = body.hasNonNull("task") ? body.get("task").asText() : null;
        switch (what) {
            case "resume":
                return send(e, "resume", flow, null, read(flow, e, asked(flow, e), given == null ? Map.of() : given));
            case "replay":
                return send(e, "replay", flow, task, given == null ? null : read(flow, e, flow.getInputs(), given));
            default:
                return send(e, what, flow, null, null);
        }
    }

    // The inputs that the Pause asks for which waits first.
    static List<Input<?>> asked(FlowWithSource flow, Execution e) throws Exception {
        Optional<TaskRun> waiting = e.findFirstByState(State.Type.PAUSED);
        if (waiting.isEmpty()) return List.of();
        return flow.findTaskByTaskId(waiting.get().getTaskId()) instanceof Pause pause ? pause.getOnResume() : List.of();
    }

    static Map<String, Object> read(FlowWithSource flow, Execution e, List<Input<?>> inputs, Map<String, Object> given) throws Exception {
        if (inputs == null || inputs.isEmpty()) return Map.of();
        return Oracle.bean(FlowInputOutput.class).readExecutionInputs(flow.toBuilder().inputs(inputs).build(), e, given);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static String send(Execution e, String what, FlowWithSource flow, String task, Map<String, Object> inputs) throws Exception {
//#if 2
        String made = IdUtils.create();
        io.kestra.core.executor.command.ExecutionCommand command = switch (what) {
            case "resume" -> io.kestra.core.executor.command.Resume.from(e, Pause.Resumed.now(), inputs);
            case "pause" -> io.kestra.core.executor.command.Pause.from(e);
            case "restart" -> io.kestra.core.executor.command.Restart.from(e, null);
            case "replay" -> {
                var replay = io.kestra.core.executor.command.Replay.from(e, made, task, null, null);
                yield inputs == null ? replay : replay.withInputs(inputs);
            }
            default -> throw new IllegalArgumentException(what);
        };
        ((DispatchQueueInterface) Oracle.ctx.getBean(Argument.of((Class) DispatchQueueInterface.class, io.kestra.core.executor.command.ExecutionCommand.class))).emit(command);
        return what.equals("replay") ? made : e.getId();
//#else
        ExecutionService service = Oracle.bean(ExecutionService.class);
        Execution next = switch (what) {
            case "resume" -> service.resume(e, flow, State.Type.RUNNING, inputs, Pause.Resumed.now());
            case "pause" -> service.pause(e);
            case "restart" -> service.restart(e, null);
            case "replay" -> service.replay(inputs == null ? e : e.withInputs(inputs), flow, task, null);
            default -> throw new IllegalArgumentException(what);
        };
        Oracle.emit(next);
        return next.getId();
//#endif
    }
}
