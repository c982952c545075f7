module two_clocks (input clk, input clk_b, input d, output reg q, output reg p);
    always @(posedge clk) q <= d;
    crossing c (.ck(clk_b), .d(q), .p(p));
endmodule
module crossing (input ck, input d, output reg p);
    always @(posedge ck) p <= d;
endmodule
