import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/**
 * A client of statusquo: look-ups with a cache, reading your own writes, and a copy of a view.
 *
 * <pre>
 * java Client.java URL VIEW get KEY
 * java Client.java URL VIEW after KEY PARTITION:OFFSET
 * java Client.java URL VIEW watch
 * </pre>
 */
public class Client {
    record Cached(String etag, String value) {}

    record Answer(int status, String value) {}

    /** A view, and what was read of it. */
    static class View {
        private static final ScheduledExecutorService CLOCK = Executors.newSingleThreadScheduledExecutor(work -> {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            return thread;
        });

        private final HttpClient http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(10))
                .build();
        private final Map<String, Cached> cache = new ConcurrentHashMap<>();
        private final String base;

        View(String url, String name) {
            base = url + "/v1/views/" + name;
        }

        Answer get(String key, String... headers) throws IOException, InterruptedException {
            // URLEncoder is for forms: there a space is a plus, here it is not.
            String segment = URLEncoder.encode(key, StandardCharsets.UTF_8).replace("+", "%20");
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + "/keys/" + segment));
            if (headers.length > 0) request.headers(headers);
            Cached cached = cache.get(key);
            if (cached != null) request.header("If-None-Match", cached.etag);
            HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
            switch (answer.statusCode()) {
                case 304:
                    return new Answer(304, cached.value);
                case 404:
                    cache.remove(key);
                    return new Answer(404, null);
                case 200:
                    String etag = answer.headers().firstValue("ETag").orElseThrow();
                    cache.put(key, new Cached(etag, answer.body()));
                    return new Answer(200, answer.body());
                default:
                    throw new IOException(answer.body());
            }
        }

        /** Reads a value that reflects the record at {@code PARTITION:OFFSET}, as a producer was told. */
        Answer getAfter(String key, String position) throws IOException, InterruptedException {
            return get(key, "Read-After", position, "Prefer", "wait=5");
        }

        /** Applies the changes of the view to a copy, for ever, over interruptions. */
        void follow(Copy copy) throws InterruptedException {
            String lastId = null;
            while (true) {
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + "/watch"));
                if (lastId != null) request.header("Last-Event-ID", lastId);
                ScheduledFuture<?> watchdog = null;
                try {
                    HttpResponse<InputStream> answer = http.send(request.build(), BodyHandlers.ofInputStream());
                    if (answer.statusCode() == 409 || answer.statusCode() == 410) {
                        lastId = null;
                        copy.apply("reset", "{}");
                        continue;
                    }
                    // A bookmark comes every 15 s: where nothing comes for 40, nobody is there any more.
                    AtomicLong heard = new AtomicLong(System.nanoTime());
                    watchdog = CLOCK.scheduleWithFixedDelay(() -> {
                        if (System.nanoTime() - heard.get() > 40_000_000_000L) close(answer.body());
                    }, 1, 1, TimeUnit.SECONDS);
                    BufferedReader lines =
                            new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8));
                    String event = "", data = "", id = lastId;
                    for (String line; (line = lines.readLine()) != null; heard.set(System.nanoTime())) {
                        if (line.startsWith("event: ")) event = line.substring(7);
                        else if (line.startsWith("data: ")) data = line.substring(6);
                        else if (line.startsWith("id: ")) id = line.substring(4);
                        else if (line.isEmpty()) { // an event is complete; before that it does not count
                            lastId = id;
                            copy.apply(event, data);
                            event = data = "";
                        }
                    }
                } catch (IOException interrupted) {
                    System.err.println("interrupted: " + interrupted.getMessage());
                } finally {
                    if (watchdog != null) watchdog.cancel(false);
                }
                Thread.sleep(1000);
            }
        }

        private static void close(InputStream body) {
            try {
                body.close();
            } catch (IOException ignored) {
                // The connection is gone, and that is the aim.
            }
        }
    }

    /**
     * The view as a map that follows it: from the member of the key, as JSON writes it, to the last event about it.
     * That has the value as {@code value}, as {@code value_base64} if it is not what it should be, or not at all: then
     * {@code value_too_large} says how large it is.
     */
    static class Copy {
        // The JDK reads no JSON. With a library at hand, let that take the data apart. (Java matches greedily by recursion:
        // a long key needs the possessive `++` and `*+`.)
        private static final Pattern KEY = Pattern.compile("^\\{(\"key(?:_base64)?\":\"(?:[^\"\\\\]++|\\\\.)*+\")");
        private static final Pattern PARTITION = Pattern.compile("\"partition\":(\\d+),\"offset\":\\d+\\}$");
        private static final Pattern PARTITIONS = Pattern.compile("\"partitions\":\\[([\\d,]*)\\]");

        private final Map<String, String> entries = new ConcurrentHashMap<>();
        private boolean complete;

        void apply(String event, String data) {
            String key = first(KEY, data);
            switch (event) {
                case "put" -> entries.put(key, data);
                case "delete" -> entries.remove(key);
                case "synced" -> complete = true;
                case "reset" -> {
                    complete = false;
                    String partitions = first(PARTITIONS, data);
                    entries.values().removeIf(entry -> partitions == null
                            || ("," + partitions + ",").contains("," + first(PARTITION, entry) + ","));
                }
                default -> {
                    return;
                }
            }
            String shown = key == null ? "-" : key.substring(key.indexOf(':') + 1);
            if (complete) System.out.println(event + " " + shown + " " + entries.size());
        }

        private static String first(Pattern pattern, String text) {
            var matcher = pattern.matcher(text);
            return matcher.find() ? matcher.group(1) : null;
        }
    }

    public static void main(String[] args) throws Exception {
        View view = new View(args[0], args[1]);
        switch (args[2]) {
            case "get" -> {
                print(view.get(args[3]));
                print(view.get(args[3]));
            }
            case "after" -> print(view.getAfter(args[3], args[4]));
            case "watch" -> view.follow(new Copy());
            default -> throw new IllegalArgumentException(args[2]);
        }
    }

    private static void print(Answer answer) {
        System.out.println(answer.status + " " + answer.value);
    }
}
