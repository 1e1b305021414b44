// Registers a WebSocket server at a Ringway gateway: keeps the lease, drains on SIGTERM. Java 11 or later alone.
//
//     AT=http://gateway:7400 TOKEN=... java Register.java chat-1 ws://10.0.0.5:9000

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

public class Register {
    static final String LIFE = ProcessHandle.current().pid() + "-" + System.nanoTime(); // different in each life
    static final HttpClient CLIENT = HttpClient.newHttpClient();
    static final CountDownLatch TERM = new CountDownLatch(1), DONE = new CountDownLatch(1);

    static HttpResponse<String> call(String name, String method, String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("AT") + "/v1/backends/" + name + path))
            .header("Authorization", "Bearer " + System.getenv().getOrDefault("TOKEN", "none"))
            .header("Content-Type", "application/json")
            .timeout(Duration.ofSeconds(3))
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
        return CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
    }

    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            TERM.countDown();
            try { DONE.await(25, TimeUnit.SECONDS); } catch (InterruptedException ignored) { }
        }));
        String life = "\"incarnation\": \"" + LIFE + "\"";
        boolean registered = false, draining = false;
        for (long end = Long.MAX_VALUE; System.nanoTime() < end || !draining; ) {
            try {
                HttpResponse<String> answer = registered
                    ? call(args[0], "POST", "/renew", "{" + life + "}")
                    : call(args[0], "PUT", "", "{\"url\": \"" + args[1] + "\", \"ttl_s\": 9, " + life + "}");
                if (answer.statusCode() >= 300) System.err.println("ringway: " + answer.body());
                registered = answer.statusCode() < 300 || registered && answer.statusCode() != 404; // 404: the lease is over
                if (draining && answer.body().contains("\"left\":0")) break;
            } catch (java.io.IOException error) {
                System.err.println("ringway: " + error);
            }
            if (draining) {
                Thread.sleep(500);
            } else if (TERM.await(3, TimeUnit.SECONDS)) { // a third of the lease; then lead the clients away, for 20 s
                draining = true;
                end = System.nanoTime() + 20_000_000_000L;
                call(args[0], "POST", "/drain", "{\"within_s\": 20, \"force\": true}");
            }
        }
        call(args[0], "DELETE", "?incarnation=" + LIFE, "");
        DONE.countDown();
    }
}
