// Spring Boot server (embedded Tomcat) that echoes JSON after 50 ms: INSTANCE=a java -jar echo.jar --server.port=9000
package echo;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.config.annotation.EnableWebSocket;
import org.springframework.web.socket.config.annotation.WebSocketConfigurer;
import org.springframework.web.socket.config.annotation.WebSocketHandlerRegistry;
import org.springframework.web.socket.handler.TextWebSocketHandler;

@SpringBootApplication
@EnableWebSocket
@RestController
public class Echo extends TextWebSocketHandler implements WebSocketConfigurer {
  private static final String INSTANCE = System.getenv("INSTANCE");
  private final ObjectMapper json = new ObjectMapper();

  public static void main(String[] arguments) {
    SpringApplication.run(Echo.class, arguments);
  }

  @Override
  public void registerWebSocketHandlers(WebSocketHandlerRegistry registry) {
    registry.addHandler(this, "/echo").setAllowedOrigins("*");
  }

  @GetMapping("/healthz")
  public String healthz() {
    return INSTANCE;
  }

  @Override
  public void afterConnectionEstablished(WebSocketSession session) throws Exception {
    send(session, Map.of("instance", INSTANCE));
  }

  @Override
  protected void handleTextMessage(WebSocketSession session, TextMessage message) throws Exception {
    Thread.sleep(50);
    send(session, Map.of("instance", INSTANCE, "n", json.readTree(message.getPayload()).get("n").asInt()));
  }

  private void send(WebSocketSession session, Map<String, Object> content) throws Exception {
    session.sendMessage(new TextMessage(json.writeValueAsString(content)));
  }
}
