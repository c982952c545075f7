module stops (input clk, input go, output reg [3:0] n);
    initial n = 0;
    always @(posedge clk) begin
        n <= n + 1;
        if (go && n == 5) $finish;
    end
endmodule
