// A register on a clock that is made inside.
module divided (input clk, input d, output reg q);
    reg half;
    initial half = 0;
    always @(posedge clk) half <= !half;
    always @(posedge half) q <= d;
endmodule
